// The tab about the model: its card, and how its workers are doing.

import { ask, askJson, pathOf } from "../api.js";
import { html, nothing } from "../library.js";
import { Poll } from "../poll.js";
import { define, View } from "../view.js";
import { figuresOf } from "./figures.js";
import "./model-card.js";
import "./workers-view.js";

const PAUSE_MS = 3000;
const MOST_LOOKS = 400;
const UNAVAILABLE = 503;

/** `model` is a model's name; `active` says whether the tab is shown. */
class ModelPage extends View {
  #metadata = null;
  #problem = "";
  #looks = [];
  #figuresProblem = "";
  #notReady = "";
  #isKnown = false;
  #poll = new Poll(() => this.#look(), PAUSE_MS);

  /** The figures are looked at from the beginning, so that there is something to see when the tab is opened. */
  connectedCallback() {
    super.connectedCallback();
    this.#poll.set(true);
  }

  disconnectedCallback() {
    this.#poll.set(false);
  }

  async #readMetadata() {
    this.#isKnown = true;
    this.#poll.hurry();
    try {
      this.#metadata = await askJson(pathOf(this.model, ""));
      this.#problem = "";
    } catch (error) {
      this.#problem = error.message;
    }
    this.update();
  }

  async #look() {
    try {
      const text = await (await ask("metrics")).text();
      this.#looks = [...this.#looks, { atS: Date.now() / 1000, ...figuresOf(text, this.model) }].slice(
        -MOST_LOOKS,
      );
      this.#notReady = await this.#whyNotReady();
      this.#figuresProblem = "";
    } catch (error) {
      this.#figuresProblem = error.message;
    }
    this.update();
  }

  /** A refusal is an error for the browser's console, so one is asked for only when it is likely. */
  async #whyNotReady() {
    const { workers } = this.#looks.at(-1);
    if (!("idle" in workers) || workers.idle || workers.busy) return "";
    try {
      await ask(pathOf(this.model, "ready"));
      return "";
    } catch (error) {
      return error.status === UNAVAILABLE ? error.message : "";
    }
  }

  view() {
    if (this.active && !this.#isKnown) this.#readMetadata();
    this.#isKnown &&= Boolean(this.active);
    return html`
      <div class="columns even">
        <section class="card" aria-label="About the model">
          ${this.#problem ? html`<p class="problem" role="alert">${this.#problem}</p>` : nothing}
          ${this.#metadata ? html`<model-card .metadata=${this.#metadata}></model-card>` : nothing}
          ${this.#metadata || this.#problem ? nothing : html`<p class="hint">Loading …</p>`}
        </section>
        <section class="card" aria-labelledby="workers-title">
          <h2 id="workers-title">Workers</h2>
          ${this.#figuresProblem ? html`<p class="problem" role="alert">${this.#figuresProblem}</p>` : nothing}
          ${this.#notReady ? html`<p class="refusal" role="alert">${this.#notReady}</p>` : nothing}
          ${this.#looks.length ? html`<workers-view .looks=${this.#looks}></workers-view>` : nothing}
        </section>
      </div>
    `;
  }
}

define("model-page", ModelPage, ["model", "active"]);
