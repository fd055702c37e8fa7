// One training, watched: its curves and log as they come, and what came of it.

import { askJson, eventsOf, pathOf } from "../api.js";
import { valueView } from "../answer/values.js";
import { html, nothing } from "../library.js";
import { define, View } from "../view.js";
import { curvesOf } from "./history.js";
import { isOver } from "./record.js";
import "./artifact-list.js";
import "./log-view.js";
import "./metric-figure.js";
import "../download.js";

const MOST_LINES = 2000;

/**
 * `record` is that of the training of `model`, which is watched as long as the element is on the page. Tells
 * `record` with a newer one in its detail.
 */
class TrainingView extends View {
  #ended = null;
  #metrics = [];
  #curves = curvesOf([]);
  #drawn = 0;
  #log = [];
  #unfinished = "";
  #problem = "";
  #provenance = null;

  connectedCallback() {
    super.connectedCallback();
    this.#ended = new AbortController();
    this.#follow(this.#ended.signal);
  }

  disconnectedCallback() {
    this.#ended.abort();
  }

  #path(...below) {
    return pathOf(this.model, "train", this.record.uuid, ...below);
  }

  async #follow(signal) {
    [this.#metrics, this.#log, this.#unfinished] = [[], [], ""];
    try {
      for await (const event of eventsOf(`${this.#path("events")}?tail=${MOST_LINES}`, signal)) {
        this.#take(event);
        if (event.kind === "end") return;
      }
    } catch (error) {
      if (signal.aborted) return;
      this.#problem = error.message;
      this.update();
    }
  }

  #take({ kind, content }) {
    if (kind === "metrics") this.#metrics.push(content);
    else if (kind === "unfinished") this.#unfinished = content.line;
    else if (kind === "log") this.#log.push(content.line);
    else this.#told({ ...this.record, ...content });
    if (this.#log.length > 2 * MOST_LINES) this.#log = this.#log.slice(-MOST_LINES);
    this.update();
  }

  #told(record) {
    this.dispatchEvent(new CustomEvent("record", { detail: record, bubbles: true }));
  }

  async #showProvenance() {
    try {
      this.#provenance = await askJson(this.#path("provenance"));
    } catch (error) {
      this.#problem = error.message;
    }
    this.update();
  }

  view() {
    const { record } = this;
    return html`
      ${this.#problem ? html`<p class="problem" role="alert">${this.#problem}</p>` : nothing}
      ${endView(record)} ${this.#curvesView()} ${resultView(record)}
      <artifact-list .model=${this.model} .record=${record}></artifact-list>
      <h4>Log</h4>
      <log-view .text=${[...this.#log.slice(-MOST_LINES), this.#unfinished].join("\n").trimEnd()}></log-view>
      ${this.#log.length < MOST_LINES ? nothing : this.#wholeLog()}
      <details class="arguments">
        <summary>Arguments</summary>
        ${valueView(record.args, {}, "the arguments")}
      </details>
      ${this.#origin()}
    `;
  }

  #wholeLog() {
    return html`<p class="hint">
      The last lines of <download-link .path=${this.#path("log")} .text=${"log.txt"}></download-link>.
    </p>`;
  }

  #curvesView() {
    if (this.#metrics.length !== this.#drawn) {
      this.#curves = curvesOf(this.#metrics);
      this.#drawn = this.#metrics.length;
    }
    const { across, curves } = this.#curves;
    const figures = [...curves.values()].map((curve) => figureView(curve, across));
    if (figures.length) return html`<div class="charts">${figures}</div>`;
    if (isOver(this.record)) return nothing;
    return html`<p class="hint">Curves are drawn here once the model tells a metric.</p>`;
  }

  #origin() {
    if (!this.#provenance) {
      return html`<button type="button" class="plain" @click=${() => this.#showProvenance()}>
        How it came to be
      </button>`;
    }
    return html`<details open>
      <summary>How it came to be</summary>
      <div class="scroll" role="region" aria-label="How it came to be" tabindex="0">
        ${valueView(this.#provenance, {}, "its provenance")}
      </div>
    </details>`;
  }
}

/** What went wrong, if anything did. */
function endView({ message, traceback }) {
  if (!message) return nothing;
  const where = html`<details>
    <summary>Traceback</summary>
    <pre tabindex="0">${traceback}</pre>
  </details>`;
  return html`
    <div class="refusal" role="alert">
      <p><b>${message}</b></p>
    </div>
    ${traceback ? where : nothing}
  `;
}

function resultView({ result }) {
  if (!result) return nothing;
  return html`<h4>Result</h4>
    <div>${valueView(result.output, {}, "the result")}</div>`;
}

function figureView(curve, across) {
  return html`<metric-figure .name=${curve.label} .curves=${[curve]} .across=${across}></metric-figure>`;
}

define("training-view", TrainingView, ["model", "record"]);
