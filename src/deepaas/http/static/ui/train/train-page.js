// The tab that trains: the form, and the list of trainings.

import { askJson, pathOf } from "../api.js";
import { linkTo } from "../address.js";
import { requestOf } from "../form/request.js";
import { html, nothing, repeat } from "../library.js";
import { Poll } from "../poll.js";
import { bringIntoSight } from "../sight.js";
import { define, View } from "../view.js";
import { isOver } from "./record.js";
import "../form/argument-form.js";
import "../form/snippet-view.js";
import "./comparison.js";
import "./model-reload.js";
import "./training-card.js";

const PAUSE_MS = 2000;
const PAGE = 20;

/** `model` is a model's name, `call` the contract of its trainings, `uuid` the training to open, if any. */
class TrainPage extends View {
  #records = null;
  #compared = new Set();
  #shown = PAGE;
  #problems = {};
  #refusal = "";
  #listProblem = "";
  #isBusy = false;
  #poll = new Poll(() => this.#look(), PAUSE_MS);

  disconnectedCallback() {
    this.#poll.set(false);
  }

  get #form() {
    return this.querySelector("argument-form");
  }

  async #look() {
    try {
      const known = new Map((this.#records ?? []).map((record) => [record.uuid, record]));
      const found = await askJson(pathOf(this.model, "train", ""));
      // What has ended does not change any more; keeping the same object keeps it from being drawn again.
      this.#records = found.reverse().map((record) => settled(known.get(record.uuid), record));
      this.#listProblem = "";
    } catch (error) {
      this.#listProblem = error.message;
    }
    this.update();
  }

  async #train(given) {
    if (this.#isBusy) return;
    this.#isBusy = true;
    [this.#problems, this.#refusal] = [{}, ""];
    this.update();
    try {
      const record = await askJson(pathOf(this.model, "train", ""), requestOf(given));
      this.#records = [record, ...(this.#records ?? [])];
      location.hash = linkTo(this.model, "train", record.uuid);
      bringIntoSight(this.querySelector(".trainings"));
    } catch (error) {
      this.#problems = error.problems ?? {};
      this.#refusal = error.problems ? "What is wrong is written at each field." : error.message;
    }
    this.#isBusy = false;
    await this.update();
    if (Object.keys(this.#problems).length) this.#form.showProblems();
  }

  #replace(record) {
    this.#records = this.#records.map((each) => (each.uuid === record.uuid ? record : each));
    this.update();
  }

  #compare(uuid, isCompared) {
    if (isCompared) this.#compared.add(uuid);
    else this.#compared.delete(uuid);
    this.update();
  }

  #written() {
    return {
      model: this.model,
      verb: "train",
      path: pathOf(this.model, "train", ""),
      given: this.#form?.given ?? [],
    };
  }

  view() {
    this.#poll.set(Boolean(this.active));
    if (this.call.unavailable) return html`<p class="card empty">${this.call.unavailable}</p>`;
    const compared = (this.#records ?? []).filter(({ uuid }) => this.#compared.has(uuid));
    return html`
      <div class="columns">
        <section class="card" aria-labelledby="train-title">
          <h2 id="train-title">New training</h2>
          <argument-form
            .prefix=${"train"}
            .call=${this.call}
            .problems=${this.#problems}
            .buttons=${this.#buttons()}
            @sent=${(event) => this.#train(event.detail)}
            @changed=${() => this.update()}
          ></argument-form>
          ${
            this.#refusal
              ? html`<div class="refusal" role="alert">
                  <p><b>${this.#refusal}</b></p>
                </div>`
              : nothing
          }
          <snippet-view .call=${() => this.#written()}></snippet-view>
        </section>
        <div class="stack">
          ${
            compared.length > 1
              ? html`<training-comparison .model=${this.model} .records=${compared}></training-comparison>`
              : nothing
          }
          <section class="card trainings" aria-labelledby="trainings-title">
            <h2 id="trainings-title">Trainings</h2>
            ${this.#listProblem ? html`<p class="problem" role="alert">${this.#listProblem}</p>` : nothing}
            ${
              this.#records?.some(({ state }) => state === "done")
                ? html`<model-reload .model=${this.model}></model-reload>`
                : nothing
            }
            ${this.#list(compared.length)}
          </section>
        </div>
      </div>
    `;
  }

  #buttons() {
    return html`<div class="actions">
      <button class="primary" aria-disabled=${this.#isBusy}>${this.#isBusy ? "Starting …" : "Train"}</button>
      <button type="button" class="plain" @click=${() => this.#form.clear()}>Defaults</button>
    </div>`;
  }

  #list(count) {
    if (this.#records === null) return this.#listProblem ? nothing : html`<p class="hint">Loading …</p>`;
    if (!this.#records.length) {
      return html`<p class="empty">
        None yet. Fill in the form and press Train; you can watch it here, and predict meanwhile.
      </p>`;
    }
    return html`
      ${count === 1 ? html`<p class="hint" role="status">Choose another one to compare it with.</p>` : nothing}
      ${repeat(
        this.#visible(),
        ({ uuid }) => uuid,
        (record) =>
          html`<training-card
            .model=${this.model}
            .call=${this.call}
            .record=${record}
            .isOpen=${record.uuid === this.uuid}
            .isCompared=${this.#compared.has(record.uuid)}
            @record=${(event) => this.#replace(event.detail)}
            @compare=${(event) => this.#compare(record.uuid, event.detail)}
          ></training-card>`,
      )}
      ${
        this.#records.length > this.#shown
          ? html`<button
              type="button"
              @click=${() => {
                this.#shown += PAGE;
                this.update();
              }}
            >
              Show older ones
            </button>`
          : nothing
      }
    `;
  }

  #visible() {
    return this.#records.filter(({ uuid }, index) => index < this.#shown || uuid === this.uuid);
  }
}

function settled(known, record) {
  return known && isOver(known) && known.state === record.state ? known : record;
}

define("train-page", TrainPage, ["model", "call", "uuid", "active"]);
