// Curves over a common axis. It must not know what they mean.

import uPlot from "../vendor/uplot/dist/uPlot.esm.js";
import { number } from "./format.js";
import { html, nothing } from "./library.js";
import { onTheme } from "./theme.js";
import { define, View } from "./view.js";

const HEIGHT_PX = 200;
const COLOURS = 6;

/** `curves` are `{label, x, y}`, with null in `y` for what is missing; `across` says what x is. */
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
      ({ label, y }) => `${label}: ${y.length} points, from ${number(y[0])} to ${number(y.at(-1))}`,
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
        return html`<li>${swatch}${label} <b>${number(y.at(-1))}</b></li>`;
      })}
    </ul>`;
  }

  #draw() {
    this.#drawn = this.curves;
    const curves = this.curves.filter(({ y }) => y.length);
    if (!curves.length) return this.#remove();
    const points = uPlot.join(curves.map(({ x, y }) => [x, y]));
    if (this.#plot?.series.length === points.length) return this.#plot.setData(points);
    this.#remove();
    this.#plot = new uPlot(this.#options(curves), points, this.querySelector(".plot"));
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
      scales: { x: { time: false, range: widened } },
      axes: [
        { ...axis, label: this.across, labelFont: axis.font, labelSize: 18, size: 34 },
        { ...axis, size: 64, values: (_, values) => values.map(number) },
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

/** One point alone would have an axis without length. */
function widened(_, low, high) {
  return low === high ? [low - 1, high + 1] : [low, high];
}

define("line-chart", LineChart, ["curves", "across"]);
