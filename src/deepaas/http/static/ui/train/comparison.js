// The curves of several trainings, one chart for each metric.

import { askJson, pathOf } from "../api.js";
import { shortened } from "../format.js";
import { comparable, isNumber, toJson } from "../json.js";
import { html, nothing } from "../library.js";
import { Poll } from "../poll.js";
import { define, View } from "../view.js";
import { curvesOf } from "./history.js";
import { isOver, shortId } from "./record.js";
import "./metric-figure.js";

const PAUSE_MS = 2000;
const LONGEST_VALUE = 40;

/** `records` are the trainings of `model` to compare. */
class TrainingComparison extends View {
  #histories = new Map();
  #problem = "";
  #poll = new Poll(() => this.#look(), PAUSE_MS);

  connectedCallback() {
    super.connectedCallback();
    this.#poll.set(true);
  }

  disconnectedCallback() {
    this.#poll.set(false);
  }

  async #look() {
    const wanted = this.records.filter((record) => !this.#histories.get(record.uuid)?.isWhole);
    if (!wanted.length) return;
    try {
      await Promise.all(wanted.map((record) => this.#read(record)));
      this.#problem = "";
    } catch (error) {
      this.#problem = error.message;
    }
    this.update();
  }

  async #read(record) {
    const isWhole = isOver(record);
    const lines = await askJson(pathOf(this.model, "train", record.uuid, "metrics"));
    this.#histories.set(record.uuid, { isWhole, ...curvesOf(lines) });
  }

  view() {
    const names = new Set(
      this.records.flatMap(({ uuid }) => [...(this.#histories.get(uuid)?.curves.keys() ?? [])]),
    );
    return html`
      <section class="card comparison" aria-labelledby="comparison-title">
        <h2 id="comparison-title">Compared</h2>
        ${this.#problem ? html`<p class="problem" role="alert">${this.#problem}</p>` : nothing}
        ${names.size ? nothing : html`<p class="hint">None of them has told a metric.</p>`}
        <div class="charts">${[...names].map((name) => this.#chart(name))}</div>
      </section>
    `;
  }

  #chart(name) {
    const labels = labelsOf(this.records);
    const found = this.records.filter(({ uuid }) => this.#histories.get(uuid)?.curves.has(name));
    const curves = found.map(({ uuid }) => ({
      ...this.#histories.get(uuid).curves.get(name),
      label: labels.get(uuid),
    }));
    const across = this.#histories.get(found[0].uuid).across;
    return html`<metric-figure .name=${name} .curves=${curves} .across=${across}></metric-figure>`;
  }
}

/** Return what tells trainings apart: the arguments in which they differ, and their ids. */
function labelsOf(records) {
  const names = [...new Set(records.flatMap(({ args }) => Object.keys(args)))];
  const differing = names.filter(
    (name) => new Set(records.map(({ args }) => comparable(args[name]))).size > 1,
  );
  return new Map(
    records.map(({ uuid, args }) => {
      const words = differing.map((name) => `${name} ${brief(args[name])}`).join(", ");
      return [uuid, words ? `${words} (${shortId(uuid)})` : shortId(uuid)];
    }),
  );
}

function brief(value) {
  const text = toJson(value) ?? "";
  return isNumber(value) ? text : shortened(text, LONGEST_VALUE);
}

define("training-comparison", TrainingComparison, ["model", "records"]);
