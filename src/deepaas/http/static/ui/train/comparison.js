// Compares trainings: one chart for each metric.

import { buildPath, fetchJson } from "../api.js";
import { BaseElement, define } from "../element.js";
import { truncate } from "../format.js";
import { isNumber, toComparable, toJson } from "../json.js";
import { html, nothing } from "../lit.js";
import { Poller } from "../poll.js";
import { buildCurves } from "./metric-curves.js";
import { isFinished, shortenId } from "./training-record.js";
import "./metric-figure.js";

const PAUSE_MS = 2000;
const MAX_VALUE_LENGTH = 40;

/** `records` are the records of trainings of `model`. */
class TrainingComparison extends BaseElement {
  #curves = new Map();
  #problem = "";
  #poller = new Poller(() => this.#fetchCurves(), PAUSE_MS);

  connectedCallback() {
    super.connectedCallback();
    this.#poller.setActive(true);
  }

  disconnectedCallback() {
    this.#poller.setActive(false);
  }

  async #fetchCurves() {
    const pending = this.records.filter((record) => !this.#curves.get(record.uuid)?.isComplete);
    if (!pending.length) return;
    try {
      await Promise.all(pending.map((record) => this.#fetchMetrics(record)));
      this.#problem = "";
    } catch (error) {
      this.#problem = error.message;
    }
    this.update();
  }

  async #fetchMetrics(record) {
    const isComplete = isFinished(record);
    const lines = await fetchJson(buildPath(this.model, "train", record.uuid, "metrics"));
    this.#curves.set(record.uuid, { isComplete, ...buildCurves(lines) });
  }

  render() {
    const names = new Set(
      this.records.flatMap(({ uuid }) => [...(this.#curves.get(uuid)?.curves.keys() ?? [])]),
    );
    return html`
      <section class="card comparison" aria-labelledby="comparison-title">
        <h2 id="comparison-title">Comparison</h2>
        ${this.#problem ? html`<p class="problem" role="alert">${this.#problem}</p>` : nothing}
        ${names.size ? nothing : html`<p class="hint">No metrics reported.</p>`}
        <div class="charts">${[...names].map((name) => this.#renderChart(name))}</div>
      </section>
    `;
  }

  #renderChart(name) {
    const labels = buildLabels(this.records);
    const withMetric = this.records.filter(({ uuid }) => this.#curves.get(uuid)?.curves.has(name));
    const curves = withMetric.map(({ uuid }) => ({
      ...this.#curves.get(uuid).curves.get(name),
      label: labels.get(uuid),
    }));
    const xLabel = this.#curves.get(withMetric[0].uuid).xLabel;
    return html`<metric-figure .name=${name} .curves=${curves} .xLabel=${xLabel}></metric-figure>`;
  }
}

/** Return labels by training id: the arguments in which the trainings differ, and the short id. */
function buildLabels(records) {
  const names = [...new Set(records.flatMap(({ args }) => Object.keys(args)))];
  const differing = names.filter(
    (name) => new Set(records.map(({ args }) => toComparable(args[name]))).size > 1,
  );
  return new Map(
    records.map(({ uuid, args }) => {
      const text = differing.map((name) => `${name} ${formatArgument(args[name])}`).join(", ");
      return [uuid, text ? `${text} (${shortenId(uuid)})` : shortenId(uuid)];
    }),
  );
}

function formatArgument(value) {
  const text = toJson(value) ?? "";
  return isNumber(value) ? text : truncate(text, MAX_VALUE_LENGTH);
}

define("training-comparison", TrainingComparison, ["model", "records"]);
