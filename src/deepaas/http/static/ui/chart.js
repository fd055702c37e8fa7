// Curves over a common axis. It must not know what they mean.

import uPlot from "../vendor/uplot/dist/uPlot.esm.js";
import { marks } from "./format.js";
import { toNumber } from "./json.js";
import { html, nothing } from "./library.js";
import { onTheme } from "./theme.js";
import { define, View } from "./view.js";

const HEIGHT_PX = 200;
const COLOURS = 6;
const AXIS_PX = 64;
const LETTER_PX = 7;
const MARGIN_PX = 15;

/**
 * `curves` are `{label, x, y}`, with null in `y` for what is missing; `across` says what x is. Numbers are
 * written as they were sent, but for the marks of the axes.
 */
class LineChart extends View {
  #plot = null;
  #drawn = null;
  #ended = null;
  #sizes = new ResizeObserver(() => this.#fit());

  connectedCallback() {
    super.connectedCallback();
    this.#ended = new AbortController();
    onTheme(() => this.#redraw(), this.#ended.signal);
    this.#sizes.observe(this);
  }

  disconnectedCallback() {
    this.#sizes.disconnect();
    this.#ended.abort();
    this.#remove();
  }

  async update() {
    await super.update();
    if (this.isConnected && this.curves !== this.#drawn) this.#draw();
  }

  view() {
    const curves = this.curves.filter(({ y }) => y.length);
    const words = curves.map(
      ({ label, y }) => `${label}: ${y.length} points, from ${y[0]} to ${y.at(-1)}`,
    );
    return html`
      <div class="plot" role="img" aria-label=${words.join("; ") || "No points yet"}></div>
      ${curves.length > 1 ? this.#legend(curves) : nothing}
    `;
  }

  #legend(curves) {
    return html`<ul class="legend">
      ${curves.map(({ label, y }, index) => {
        const swatch = html`<i class="swatch curve-${index % COLOURS}"></i>`;
        return html`<li>${swatch}${label} <b>${String(y.at(-1))}</b></li>`;
      })}
    </ul>`;
  }

  #draw() {
    this.#drawn = this.curves;
    const curves = this.curves.filter(({ y }) => y.length);
    if (!curves.length) return this.#remove();
    const points = uPlot.join(curves.map(({ x, y }) => [x.map(toNumber), y.map(drawn)]));
    if (this.#plot?.series.length === points.length) return this.#plot.setData(points);
    this.#remove();
    this.#plot = new uPlot(this.#options(curves), points, this.querySelector(".plot"));
  }

  /** The pointer shows the values of the point that it is at, since the axes have few digits. */
  #point(plot) {
    const points = this.#drawn.flatMap((curve) => pointAt(curve, plot.data[0][plot.cursor.idx]));
    const values = points.map(({ label, y }) => `${label}: ${y}`);
    plot.over.title = points.length ? [`${this.across} ${points[0].x}`, ...values].join("\n") : "";
  }

  #redraw() {
    this.#remove();
    this.#draw();
  }

  #remove() {
    this.#plot?.destroy();
    this.#plot = null;
  }

  #fit() {
    const width = this.clientWidth;
    if (width && width !== this.#plot?.width) this.#plot?.setSize({ width, height: HEIGHT_PX });
  }

  /** A canvas takes colours as they come out, not the variables they are written with. */
  #colour(variable) {
    this.style.color = `var(${variable})`;
    const { color } = getComputedStyle(this);
    this.style.color = "";
    return color;
  }

  #options(curves) {
    const axis = {
      stroke: this.#colour("--chart-text"),
      font: `12px ${getComputedStyle(this).fontFamily}`,
      grid: { stroke: this.#colour("--chart-line"), width: 1 },
      ticks: { show: false },
    };
    return {
      width: this.clientWidth || 300,
      height: HEIGHT_PX,
      legend: { show: false },
      cursor: { points: { size: 6 }, y: false, drag: { x: false, y: false } },
      hooks: { setCursor: [(plot) => this.#point(plot)] },
      scales: { x: { time: false, range: widened } },
      axes: [
        {
          ...axis,
          label: this.across,
          labelFont: axis.font,
          labelSize: 18,
          size: 34,
          values: (_, values) => marks(values),
        },
        { ...axis, size: widthOf, values: (_, values) => marks(values) },
      ],
      series: [
        {},
        ...curves.map(({ label }, index) => ({
          label,
          stroke: this.#colour(`--curve-${index % COLOURS}`),
          width: 2,
          spanGaps: true,
          points: { show: curves.every(({ y }) => y.length <= 30), size: 5 },
        })),
      ],
    };
  }
}

/** A number that is too large to be drawn is left out of its curve. */
function drawn(value) {
  const number = toNumber(value);
  return Number.isFinite(number) ? number : null;
}

/** Return a list of the curve's point at a place of the axis, if it has one there. */
function pointAt({ label, x, y }, place) {
  const index = x.findIndex((position) => toNumber(position) === place);
  return index < 0 ? [] : [{ label, x: x[index], y: y[index] }];
}

/** Return the width of an axis with these marks, which uPlot asks for once without any. */
function widthOf(_, texts) {
  const longest = Math.max(0, ...(texts ?? []).map((text) => text.length));
  return Math.max(AXIS_PX, longest * LETTER_PX + MARGIN_PX);
}

/** One point alone would have an axis without length. */
function widened(_, low, high) {
  return low === high ? [low - 1, high + 1] : [low, high];
}

define("line-chart", LineChart, ["curves", "across"]);
