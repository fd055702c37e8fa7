// The Model tab: metadata and worker metrics.

import { buildPath, fetchJson, sendRequest } from "../api.js";
import { BaseElement, define } from "../element.js";
import { html, nothing } from "../lit.js";
import { Poller } from "../poll.js";
import { parseMetrics } from "./metrics.js";
import "./model-card.js";
import "./workers-view.js";

const PAUSE_MS = 3000;
const MAX_SNAPSHOTS = 400;
const UNAVAILABLE = 503;

/** `model` is the model's name; `active` is true while the tab is shown. */
class ModelPage extends BaseElement {
  #metadata = null;
  #problem = "";
  #snapshots = [];
  #metricsProblem = "";
  #notReady = "";
  #isLoaded = false;
  #poller = new Poller(() => this.#fetchMetrics(), PAUSE_MS);

  /** Poll the metrics from page load, so that data is there when the tab is opened. */
  connectedCallback() {
    super.connectedCallback();
    this.#poller.setActive(true);
  }

  disconnectedCallback() {
    this.#poller.setActive(false);
  }

  async #fetchMetadata() {
    this.#isLoaded = true;
    this.#poller.runNow();
    try {
      this.#metadata = await fetchJson(buildPath(this.model, ""));
      this.#problem = "";
    } catch (error) {
      this.#problem = error.message;
    }
    this.update();
  }

  async #fetchMetrics() {
    try {
      const text = await (await sendRequest("metrics")).text();
      this.#snapshots = [
        ...this.#snapshots,
        { atS: Date.now() / 1000, ...parseMetrics(text, this.model) },
      ].slice(-MAX_SNAPSHOTS);
      this.#notReady = await this.#fetchUnreadyReason();
      this.#metricsProblem = "";
    } catch (error) {
      this.#metricsProblem = error.message;
    }
    this.update();
  }

  /** Check readiness only if no worker is idle or busy, because browsers log every 503 to the console. */
  async #fetchUnreadyReason() {
    const { workers } = this.#snapshots.at(-1);
    if (!("idle" in workers) || workers.idle || workers.busy) return "";
    try {
      await sendRequest(buildPath(this.model, "ready"));
      return "";
    } catch (error) {
      return error.status === UNAVAILABLE ? error.message : "";
    }
  }

  render() {
    if (this.active && !this.#isLoaded) this.#fetchMetadata();
    this.#isLoaded &&= Boolean(this.active);
    return html`
      <div class="columns even">
        <section class="card" aria-label="About the model">
          ${this.#problem ? html`<p class="problem" role="alert">${this.#problem}</p>` : nothing}
          ${this.#metadata ? html`<model-card .metadata=${this.#metadata}></model-card>` : nothing}
          ${this.#metadata || this.#problem ? nothing : html`<p class="hint">Loading …</p>`}
        </section>
        <section class="card" aria-labelledby="workers-title">
          <h2 id="workers-title">Workers</h2>
          ${this.#metricsProblem ? html`<p class="problem" role="alert">${this.#metricsProblem}</p>` : nothing}
          ${this.#notReady ? html`<p class="alert" role="alert">${this.#notReady}</p>` : nothing}
          ${this.#snapshots.length ? html`<workers-view .snapshots=${this.#snapshots}></workers-view>` : nothing}
        </section>
      </div>
    `;
  }
}

define("model-page", ModelPage, ["model", "active"]);
