// Line charts with uPlot.

import uPlot from "../vendor/uplot/dist/uPlot.esm.js";
import { BaseElement, define } from "./element.js";
import { formatTicks } from "./format.js";
import { toNumber } from "./json.js";
import { html, nothing } from "./lit.js";
import { onThemeChange } from "./theme.js";

const HEIGHT_PX = 200;
const COLOURS = 6;
const AXIS_PX = 64;
const CHARACTER_PX = 7;
const MARGIN_PX = 15;

/**
 * `curves` are `{label, x, y}`, with null in `y` for missing values; `xLabel` names the x axis. Axis ticks are
 * rounded; all other numbers are shown as sent.
 */
class LineChart extends BaseElement {
  #plot = null;
  #plotted = null;
  #controller = null;
  #sizes = new ResizeObserver(() => this.#resize());

  connectedCallback() {
    super.connectedCallback();
    this.#controller = new AbortController();
    onThemeChange(() => this.#redraw(), this.#controller.signal);
    this.#sizes.observe(this);
  }

  disconnectedCallback() {
    this.#sizes.disconnect();
    this.#controller.abort();
    this.#remove();
  }

  async update() {
    await super.update();
    if (this.isConnected && this.curves !== this.#plotted) this.#draw();
  }

  render() {
    const curves = this.curves.filter(({ y }) => y.length);
    const descriptions = curves.map(
      ({ label, y }) => `${label}: ${y.length} points, from ${y[0]} to ${y.at(-1)}`,
    );
    return html`
      <div class="plot" role="img" aria-label=${descriptions.join("; ") || "No data yet"}></div>
      ${curves.length > 1 ? this.#renderLegend(curves) : nothing}
    `;
  }

  #renderLegend(curves) {
    return html`<ul class="legend">
      ${curves.map(({ label, y }, index) => {
        const swatch = html`<i class="swatch curve-${index % COLOURS}"></i>`;
        return html`<li>${swatch}${label} <b>${String(y.at(-1))}</b></li>`;
      })}
    </ul>`;
  }

  #draw() {
    this.#plotted = this.curves;
    const curves = this.curves.filter(({ y }) => y.length);
    if (!curves.length) return this.#remove();
    const points = uPlot.join(curves.map(({ x, y }) => [x.map(toNumber), y.map(toPlotValue)]));
    if (this.#plot?.series.length === points.length) return this.#plot.setData(points);
    this.#remove();
    this.#plot = new uPlot(this.#buildOptions(curves), points, this.querySelector(".plot"));
  }

  /** Show the exact values under the pointer as a tooltip, since axis ticks are rounded. */
  #updateTooltip(plot) {
    const points = this.#plotted.flatMap((curve) => findPoint(curve, plot.data[0][plot.cursor.idx]));
    const values = points.map(({ label, y }) => `${label}: ${y}`);
    plot.over.title = points.length ? [`${this.xLabel} ${points[0].x}`, ...values].join("\n") : "";
  }

  #redraw() {
    this.#remove();
    this.#draw();
  }

  #remove() {
    this.#plot?.destroy();
    this.#plot = null;
  }

  #resize() {
    const width = this.clientWidth;
    if (width && width !== this.#plot?.width) this.#plot?.setSize({ width, height: HEIGHT_PX });
  }

  /** Resolve a CSS variable to a colour, because a canvas does not accept variables. */
  #resolveColour(variable) {
    this.style.color = `var(${variable})`;
    const { color } = getComputedStyle(this);
    this.style.color = "";
    return color;
  }

  #buildOptions(curves) {
    const axis = {
      stroke: this.#resolveColour("--chart-text"),
      font: `12px ${getComputedStyle(this).fontFamily}`,
      grid: { stroke: this.#resolveColour("--chart-line"), width: 1 },
      ticks: { show: false },
    };
    return {
      width: this.clientWidth || 300,
      height: HEIGHT_PX,
      legend: { show: false },
      cursor: { points: { size: 6 }, y: false, drag: { x: false, y: false } },
      hooks: { setCursor: [(plot) => this.#updateTooltip(plot)] },
      scales: { x: { time: false, range: widenRange } },
      axes: [
        {
          ...axis,
          label: this.xLabel,
          labelFont: axis.font,
          labelSize: 18,
          size: 34,
          values: (_, values) => formatTicks(values),
        },
        { ...axis, size: getAxisWidth, values: (_, values) => formatTicks(values) },
      ],
      series: [
        {},
        ...curves.map(({ label }, index) => ({
          label,
          stroke: this.#resolveColour(`--curve-${index % COLOURS}`),
          width: 2,
          spanGaps: true,
          points: { show: curves.every(({ y }) => y.length <= 30), size: 5 },
        })),
      ],
    };
  }
}

/** Return a number to plot, or null for one that a double cannot represent. */
function toPlotValue(value) {
  const number = toNumber(value);
  return Number.isFinite(number) ? number : null;
}

/** Return a list with the curve's point at this x value, or an empty list. */
function findPoint({ label, x, y }, value) {
  const index = x.findIndex((position) => toNumber(position) === value);
  return index < 0 ? [] : [{ label, x: x[index], y: y[index] }];
}

/** Return the axis width in pixels. uPlot first calls this without tick labels. */
function getAxisWidth(_, texts) {
  const longest = Math.max(0, ...(texts ?? []).map((text) => text.length));
  return Math.max(AXIS_PX, longest * CHARACTER_PX + MARGIN_PX);
}

/** Widen the range of a single point, whose axis would otherwise have no length. */
function widenRange(_, low, high) {
  return low === high ? [low - 1, high + 1] : [low, high];
}

define("line-chart", LineChart, ["curves", "xLabel"]);
