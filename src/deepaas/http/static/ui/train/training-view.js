// A training in full: live charts and log, result, artifacts and provenance.

import { buildPath, fetchJson, streamEvents } from "../api.js";
import { BaseElement, define } from "../element.js";
import { html, nothing } from "../lit.js";
import { renderValue } from "../response/values.js";
import { buildCurves } from "./metric-curves.js";
import { isFinished } from "./training-record.js";
import "./artifact-list.js";
import "./log-view.js";
import "./metric-figure.js";
import "../download.js";

const MAX_LINES = 2000;

/**
 * `record` is the record of a training of `model`. While connected, the element follows the training's events and
 * dispatches `record` with a newer record in its detail.
 */
class TrainingView extends BaseElement {
  #controller = null;
  #metrics = [];
  #curves = buildCurves([]);
  #curvesLength = 0;
  #log = [];
  #partialLine = "";
  #problem = "";
  #provenance = null;

  connectedCallback() {
    super.connectedCallback();
    this.#controller = new AbortController();
    this.#follow(this.#controller.signal);
  }

  disconnectedCallback() {
    this.#controller.abort();
  }

  #buildPath(...below) {
    return buildPath(this.model, "train", this.record.uuid, ...below);
  }

  async #follow(signal) {
    [this.#metrics, this.#log, this.#partialLine] = [[], [], ""];
    try {
      for await (const event of streamEvents(`${this.#buildPath("events")}?tail=${MAX_LINES}`, signal)) {
        this.#handleEvent(event);
        if (event.kind === "end") return;
      }
    } catch (error) {
      if (signal.aborted) return;
      this.#problem = error.message;
      this.update();
    }
  }

  #handleEvent({ kind, content }) {
    if (kind === "metrics") this.#metrics.push(content);
    else if (kind === "unfinished") this.#partialLine = content.line;
    else if (kind === "log") this.#log.push(content.line);
    else this.#notifyRecord({ ...this.record, ...content });
    if (this.#log.length > 2 * MAX_LINES) this.#log = this.#log.slice(-MAX_LINES);
    this.update();
  }

  #notifyRecord(record) {
    this.dispatchEvent(new CustomEvent("record", { detail: record, bubbles: true }));
  }

  async #fetchProvenance() {
    try {
      this.#provenance = await fetchJson(this.#buildPath("provenance"));
    } catch (error) {
      this.#problem = error.message;
    }
    this.update();
  }

  render() {
    const { record } = this;
    return html`
      ${this.#problem ? html`<p class="problem" role="alert">${this.#problem}</p>` : nothing}
      ${renderError(record)} ${this.#renderCurves()} ${renderResult(record)}
      <artifact-list .model=${this.model} .record=${record}></artifact-list>
      <h4>Log</h4>
      <log-view .text=${[...this.#log.slice(-MAX_LINES), this.#partialLine].join("\n").trimEnd()}></log-view>
      ${this.#log.length < MAX_LINES ? nothing : this.#renderLogLink()}
      <details class="arguments">
        <summary>Arguments</summary>
        ${renderValue(record.args, {}, "arguments")}
      </details>
      ${this.#renderProvenance()}
    `;
  }

  #renderLogLink() {
    return html`<p class="hint">
      Last ${MAX_LINES} lines. Complete log:
      <download-link .path=${this.#buildPath("log")} .text=${"log.txt"}></download-link>
    </p>`;
  }

  #renderCurves() {
    if (this.#metrics.length !== this.#curvesLength) {
      this.#curves = buildCurves(this.#metrics);
      this.#curvesLength = this.#metrics.length;
    }
    const { xLabel, curves } = this.#curves;
    const figures = [...curves.values()].map((curve) => renderFigure(curve, xLabel));
    if (figures.length) return html`<div class="charts">${figures}</div>`;
    if (isFinished(this.record)) return nothing;
    return html`<p class="hint">Charts appear when the model reports a metric.</p>`;
  }

  #renderProvenance() {
    if (!this.#provenance) {
      return html`<button type="button" class="plain" @click=${() => this.#fetchProvenance()}>
        Provenance
      </button>`;
    }
    return html`<details open>
      <summary>Provenance</summary>
      <div class="scroll" role="region" aria-label="Provenance" tabindex="0">
        ${renderValue(this.#provenance, {}, "provenance")}
      </div>
    </details>`;
  }
}

function renderError({ message, traceback }) {
  if (!message) return nothing;
  const details = html`<details>
    <summary>Traceback</summary>
    <pre tabindex="0">${traceback}</pre>
  </details>`;
  return html`
    <div class="alert" role="alert">
      <p><b>${message}</b></p>
    </div>
    ${traceback ? details : nothing}
  `;
}

function renderResult({ result }) {
  if (!result) return nothing;
  return html`<h4>Result</h4>
    <div>${renderValue(result.output, {}, "result")}</div>`;
}

function renderFigure(curve, xLabel) {
  return html`<metric-figure .name=${curve.label} .curves=${[curve]} .xLabel=${xLabel}></metric-figure>`;
}

define("training-view", TrainingView, ["model", "record"]);
