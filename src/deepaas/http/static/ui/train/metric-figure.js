// A metric of one or several trainings as a figure: its curves, and their values as a table.

import { toNumber } from "../json.js";
import { html, nothing } from "../library.js";
import { tableView } from "../table.js";
import { define, View } from "../view.js";
import "../chart.js";

/** `name` is the metric's, `curves` and `across` are those of `line-chart`. */
class MetricFigure extends View {
  #isOpen = false;

  #toggle(event) {
    this.#isOpen = event.target.open;
    this.update();
  }

  view() {
    return html`<figure>
      <figcaption>${this.name} ${this.curves.length === 1 ? latestView(this.curves[0]) : nothing}</figcaption>
      <line-chart .curves=${this.curves} .across=${this.across}></line-chart>
      <details @toggle=${(event) => this.#toggle(event)}>
        <summary>Values</summary>
        ${this.#isOpen ? this.#table() : nothing}
      </details>
    </figure>`;
  }

  /** The latest values stand first, since a table shows the first of very many rows. */
  #table() {
    const { curves, across, name } = this;
    const places = new Map(curves.flatMap(({ x }) => x.map((position) => [toNumber(position), position])));
    const columns = curves.map(({ x, y }) => new Map(x.map((each, index) => [toNumber(each), y[index]])));
    const rows = [...places]
      .sort(([one], [other]) => other - one)
      .map(([place, position]) => [position, ...columns.map((values) => values.get(place) ?? "")]);
    return tableView(
      [across, ...curves.map(({ label }) => label)],
      rows.map((row) => row.map(String)),
      `The values of ${name}`,
    );
  }
}

function latestView({ y }) {
  return html`<b>${String(y.findLast((value) => value !== null) ?? "")}</b>`;
}

define("metric-figure", MetricFigure, ["name", "curves", "across"]);
