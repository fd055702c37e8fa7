// How the workers are doing: who is at work, who waits, how long predictions take, and which went wrong.

import { durationView } from "../format.js";
import { html, nothing } from "../library.js";
import { define, View } from "../view.js";
import { boundOf, timesBetween } from "./figures.js";
import "../chart.js";

const WORDS = { queue: "waiting", model: "in the model", render: "rendering" };
const FIRST_ERROR = 400;
const HALF = 0.5;
const MOST = 0.95;
const MS = 1000;
const DIGITS = 4;

/** `looks` are what `figuresOf` returned since the page was opened, oldest first, each with its time `atS`. */
class WorkersView extends View {
  view() {
    const [first, now] = [this.looks[0], this.looks.at(-1)];
    return html`
      ${this.#workers(now)} ${this.#times(first, now)} ${this.#recent()} ${this.#answers(first, now)}
      ${this.#restarts(now)}
    `;
  }

  #workers({ workers, queueLength, queueOldestS }) {
    const dots = Object.entries(workers).flatMap(([state, count]) =>
      Array.from({ length: count }, () => state),
    );
    const words = Object.entries(workers)
      .filter(([, count]) => count)
      .map(([state, count]) => `${count} ${state}`);
    const waiting = queueLength
      ? html`${queueLength} waiting, the oldest for ${durationView(queueOldestS)}`
      : "nobody waits";
    return html`<p class="workers">
      <span class="dots" aria-hidden="true">${dots.map((state) => html`<i class="dot ${state}"></i>`)}</span>
      ${words.join(", ") || "No workers"} <span class="hint">· ${waiting}</span>
    </p>`;
  }

  #times(first, now) {
    if (!now.times.model.count)
      return html`<p class="empty">No prediction yet since the server was started.</p>`;
    const lately = Object.fromEntries(
      Object.keys(WORDS).map((stage) => [stage, timesBetween(first.times[stage], now.times[stage])]),
    );
    const isLately = lately.model.count > 0;
    const times = isLately ? lately : now.times;
    const rows = Object.entries(times).map(
      ([stage, each]) =>
        html`<tr>
          <th scope="row">${WORDS[stage]}</th>
          <td>${durationView(each.sumS / each.count)}</td>
          <td>${boundView(boundOf(each, HALF))}</td>
          <td>${boundView(boundOf(each, MOST))}</td>
        </tr>`,
    );
    return html`
      <h3>Time of a prediction</h3>
      <table>
        <thead>
          <tr>
            <td></td>
            <th scope="col">mean</th>
            <th scope="col">half within</th>
            <th scope="col">95 % within</th>
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
      <p class="hint">
        Of ${counted(times.model.count)} since
        ${isLately ? "you opened this page" : "the server was started"}.
      </p>
    `;
  }

  /** The mean time of each interval between two looks in which there were predictions. */
  #recent() {
    const x = [];
    const y = [];
    for (const [index, look] of this.looks.entries()) {
      if (!index) continue;
      const { count, sumS } = timesBetween(this.looks[index - 1].times.model, look.times.model);
      if (count < 1) continue;
      x.push(Math.round(look.atS - this.looks[0].atS));
      y.push(Number(((sumS / count) * MS).toPrecision(DIGITS)));
    }
    if (!this.looks.at(-1).times.model.count) return nothing;
    if (!x.length) return html`<p class="hint">Recent times are drawn here as predictions come.</p>`;
    const curve = { label: "ms in the model", x, y };
    return html`
      <figure>
        <figcaption>milliseconds in the model, since you opened this page</figcaption>
        <line-chart .curves=${[curve]} .across=${"seconds"}></line-chart>
      </figure>
    `;
  }

  #answers(first, now) {
    const rows = Object.entries(now.answers).sort();
    if (!rows.length) return nothing;
    return html`
      <h3>Answers</h3>
      <table>
        <thead>
          <tr>
            <th scope="col">status</th>
            <th scope="col">in all</th>
            <th scope="col">lately</th>
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            ([status, count]) =>
              html`<tr class=${Number(status) >= FIRST_ERROR ? "bad" : ""}>
                <th scope="row">${status}</th>
                <td>${count}</td>
                <td>${count - (first.answers[status] ?? 0)}</td>
              </tr>`,
          )}
        </tbody>
      </table>
      <p class="hint">Predictions of all the server's models; lately is since you opened this page.</p>
    `;
  }

  #restarts({ restarts }) {
    const causes = Object.entries(restarts).filter(([, count]) => count);
    if (!causes.length) return nothing;
    return html`<p>
      Workers replaced: ${causes.map(([cause, count]) => `${count} (${cause})`).join(", ")}.
    </p>`;
  }
}

function boundView(seconds) {
  return Number.isFinite(seconds) ? durationView(seconds) : "longer";
}

function counted(count) {
  return count === 1 ? "one prediction" : `${count} predictions`;
}

define("workers-view", WorkersView, ["looks"]);
