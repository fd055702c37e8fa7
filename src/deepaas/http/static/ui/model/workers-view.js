// Worker metrics: states, queue, prediction times, response statuses and restarts.

import { BaseElement, define } from "../element.js";
import { renderDuration } from "../format.js";
import { html, nothing } from "../lit.js";
import { getQuantileBound, subtractTimes } from "./metrics.js";
import "../chart.js";

const STAGES = { queue: "queue", model: "model", render: "response rendering" };
const FIRST_ERROR = 400;
const MEDIAN = 0.5;
const P95 = 0.95;
const MS = 1000;
const DIGITS = 4;

/** `snapshots` are the results of `parseMetrics` since page load, oldest first, each with its time `atS`. */
class WorkersView extends BaseElement {
  render() {
    const [first, now] = [this.snapshots[0], this.snapshots.at(-1)];
    return html`
      ${this.#renderWorkers(now)} ${this.#renderTimes(first, now)} ${this.#renderChart()}
      ${this.#renderResponses(first, now)} ${this.#renderRestarts(now)}
    `;
  }

  #renderWorkers({ workers, queueLength, queueOldestS }) {
    const dots = Object.entries(workers).flatMap(([state, count]) =>
      Array.from({ length: count }, () => state),
    );
    const states = Object.entries(workers)
      .filter(([, count]) => count)
      .map(([state, count]) => `${count} ${state}`);
    const queue = queueLength
      ? html`${queueLength} queued, oldest for ${renderDuration(queueOldestS)}`
      : "queue empty";
    return html`<p class="workers">
      <span class="dots" aria-hidden="true">${dots.map((state) => html`<i class="dot ${state}"></i>`)}</span>
      ${states.join(", ") || "No workers"} <span class="hint">· ${queue}</span>
    </p>`;
  }

  #renderTimes(first, now) {
    if (!now.times.model.count) return html`<p class="empty">No predictions since server start.</p>`;
    const recent = Object.fromEntries(
      Object.keys(STAGES).map((stage) => [stage, subtractTimes(first.times[stage], now.times[stage])]),
    );
    const isRecent = recent.model.count > 0;
    const times = isRecent ? recent : now.times;
    const rows = Object.entries(times).map(
      ([stage, each]) =>
        html`<tr>
          <th scope="row">${STAGES[stage]}</th>
          <td>${renderDuration(each.sumS / each.count)}</td>
          <td>${renderQuantile(each, MEDIAN)}</td>
          <td>${renderQuantile(each, P95)}</td>
        </tr>`,
    );
    return html`
      <h3>Prediction time</h3>
      <table>
        <thead>
          <tr>
            <td></td>
            <th scope="col">mean</th>
            <th scope="col">median</th>
            <th scope="col">p95</th>
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
      <p class="hint">${formatCount(times.model.count)} since ${isRecent ? "page load" : "server start"}.</p>
    `;
  }

  /** Chart the mean model time between successive snapshots, without intervals that had no predictions. */
  #renderChart() {
    const x = [];
    const y = [];
    for (const [index, snapshot] of this.snapshots.entries()) {
      if (!index) continue;
      const { count, sumS } = subtractTimes(this.snapshots[index - 1].times.model, snapshot.times.model);
      if (count < 1) continue;
      x.push(Math.round(snapshot.atS - this.snapshots[0].atS));
      y.push(Number(((sumS / count) * MS).toPrecision(DIGITS)));
    }
    if (!this.snapshots.at(-1).times.model.count) return nothing;
    if (!x.length) return html`<p class="hint">The chart appears after the next prediction.</p>`;
    const curve = { label: "model time (ms)", x, y };
    return html`
      <figure>
        <figcaption>model time (ms) since page load</figcaption>
        <line-chart .curves=${[curve]} .xLabel=${"seconds"}></line-chart>
      </figure>
    `;
  }

  #renderResponses(first, now) {
    const rows = Object.entries(now.responses).sort();
    if (!rows.length) return nothing;
    return html`
      <h3>Responses</h3>
      <table>
        <thead>
          <tr>
            <th scope="col">status</th>
            <th scope="col">total</th>
            <th scope="col">since page load</th>
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            ([status, count]) =>
              html`<tr class=${Number(status) >= FIRST_ERROR ? "bad" : ""}>
                <th scope="row">${status}</th>
                <td>${count}</td>
                <td>${count - (first.responses[status] ?? 0)}</td>
              </tr>`,
          )}
        </tbody>
      </table>
      <p class="hint">Predictions of all models on this server.</p>
    `;
  }

  #renderRestarts({ restarts }) {
    const causes = Object.entries(restarts).filter(([, count]) => count);
    if (!causes.length) return nothing;
    return html`<p>Worker restarts: ${causes.map(([cause, count]) => `${count} (${cause})`).join(", ")}.</p>`;
  }
}

/** Return a bound of a quantile: the upper bound of its bucket or, for the last bucket, the lower one. */
function renderQuantile(times, quantile) {
  const bound = getQuantileBound(times, quantile);
  if (Number.isFinite(bound)) return html`≤ ${renderDuration(bound)}`;
  return html`> ${renderDuration(times.buckets.at(-2)[0])}`;
}

function formatCount(count) {
  return count === 1 ? "1 prediction" : `${count} predictions`;
}

define("workers-view", WorkersView, ["snapshots"]);
