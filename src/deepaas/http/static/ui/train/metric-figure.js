// Figure of a metric: a chart of one or more trainings, and a table of the values.

import { BaseElement, define } from "../element.js";
import { toNumber } from "../json.js";
import { html, nothing } from "../lit.js";
import { renderTable } from "../table.js";
import "../chart.js";

/** `name` is the metric's name; `curves` and `xLabel` are passed to `line-chart`. */
class MetricFigure extends BaseElement {
  #isOpen = false;

  #toggle(event) {
    this.#isOpen = event.target.open;
    this.update();
  }

  render() {
    return html`<figure>
      <figcaption>
        ${this.name} ${this.curves.length === 1 ? renderLatest(this.curves[0]) : nothing}
      </figcaption>
      <line-chart .curves=${this.curves} .xLabel=${this.xLabel}></line-chart>
      <details @toggle=${(event) => this.#toggle(event)}>
        <summary>Values</summary>
        ${this.#isOpen ? this.#renderValues() : nothing}
      </details>
    </figure>`;
  }

  /** List the latest values first, because long tables are truncated. */
  #renderValues() {
    const { curves, xLabel, name } = this;
    const positions = new Map(curves.flatMap(({ x }) => x.map((position) => [toNumber(position), position])));
    const columns = curves.map(({ x, y }) => new Map(x.map((each, index) => [toNumber(each), y[index]])));
    const rows = [...positions]
      .sort(([one], [other]) => other - one)
      .map(([x, position]) => [position, ...columns.map((values) => values.get(x) ?? "")]);
    return renderTable(
      [xLabel, ...curves.map(({ label }) => label)],
      rows.map((row) => row.map(String)),
      `Values of ${name}`,
    );
  }
}

function renderLatest({ y }) {
  return html`<b>${String(y.findLast((value) => value !== null) ?? "")}</b>`;
}

define("metric-figure", MetricFigure, ["name", "curves", "xLabel"]);
