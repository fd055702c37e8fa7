// The Train tab: form and list of trainings.

import { buildPath, fetchJson } from "../api.js";
import { BaseElement, define } from "../element.js";
import { buildRequest } from "../form/request.js";
import { html, nothing, repeat } from "../lit.js";
import { Poller } from "../poll.js";
import { buildLink } from "../router.js";
import { scrollIntoViewIfNeeded } from "../scroll.js";
import { isFinished } from "./training-record.js";
import "../form/argument-form.js";
import "../form/snippet-view.js";
import "./comparison.js";
import "./model-reload.js";
import "./training-card.js";

const PAUSE_MS = 2000;
const PAGE_SIZE = 20;

/** `model` is the model's name, `operation` its train operation, `uuid` the open training, if any. */
class TrainPage extends BaseElement {
  #records = null;
  #compared = new Set();
  #shown = PAGE_SIZE;
  #problems = {};
  #error = "";
  #listProblem = "";
  #isBusy = false;
  #poller = new Poller(() => this.#fetchRecords(), PAUSE_MS);

  disconnectedCallback() {
    this.#poller.setActive(false);
  }

  get #form() {
    return this.querySelector("argument-form");
  }

  async #fetchRecords() {
    try {
      const known = new Map((this.#records ?? []).map((record) => [record.uuid, record]));
      const records = await fetchJson(buildPath(this.model, "train", ""));
      // Keep the objects of finished trainings, so that their elements do not render again.
      this.#records = records.reverse().map((record) => keepFinished(known.get(record.uuid), record));
      this.#listProblem = "";
    } catch (error) {
      this.#listProblem = error.message;
    }
    this.update();
  }

  async #train(inputs) {
    if (this.#isBusy) return;
    this.#isBusy = true;
    [this.#problems, this.#error] = [{}, ""];
    this.update();
    try {
      const record = await fetchJson(buildPath(this.model, "train", ""), buildRequest(inputs));
      this.#records = [record, ...(this.#records ?? [])];
      location.hash = buildLink(this.model, "train", record.uuid);
      scrollIntoViewIfNeeded(this.querySelector(".trainings"));
    } catch (error) {
      this.#problems = error.problems ?? {};
      this.#error = error.problems ? "Correct the marked fields." : error.message;
    }
    this.#isBusy = false;
    await this.update();
    if (Object.keys(this.#problems).length) this.#form.focusProblem();
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

  #describeCall() {
    return {
      model: this.model,
      verb: "train",
      path: buildPath(this.model, "train", ""),
      inputs: this.#form?.inputs ?? [],
    };
  }

  render() {
    this.#poller.setActive(Boolean(this.active));
    if (this.operation.unavailable) return html`<p class="card empty">${this.operation.unavailable}</p>`;
    const compared = (this.#records ?? []).filter(({ uuid }) => this.#compared.has(uuid));
    return html`
      <div class="columns">
        <section class="card" aria-labelledby="train-title">
          <h2 id="train-title">New training</h2>
          <argument-form
            .prefix=${"train"}
            .operation=${this.operation}
            .problems=${this.#problems}
            .buttons=${this.#renderButtons()}
            @sent=${(event) => this.#train(event.detail)}
            @changed=${() => this.update()}
          ></argument-form>
          ${
            this.#error
              ? html`<div class="alert" role="alert">
                  <p><b>${this.#error}</b></p>
                </div>`
              : nothing
          }
          <snippet-view .getCall=${() => this.#describeCall()}></snippet-view>
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
            ${this.#renderList(compared.length)}
          </section>
        </div>
      </div>
    `;
  }

  #renderButtons() {
    return html`<div class="actions">
      <button class="primary" aria-disabled=${this.#isBusy}>${this.#isBusy ? "Starting …" : "Train"}</button>
      <button type="button" class="plain" @click=${() => this.#form.reset()}>Reset to defaults</button>
    </div>`;
  }

  #renderList(count) {
    if (this.#records === null) return this.#listProblem ? nothing : html`<p class="hint">Loading …</p>`;
    if (!this.#records.length) {
      return html`<p class="empty">
        No trainings yet. Fill in the form and press Train. You can run predictions during a training.
      </p>`;
    }
    return html`
      ${count === 1 ? html`<p class="hint" role="status">Select another training to compare.</p>` : nothing}
      ${repeat(
        this.#listVisible(),
        ({ uuid }) => uuid,
        (record) =>
          html`<training-card
            .model=${this.model}
            .operation=${this.operation}
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
                this.#shown += PAGE_SIZE;
                this.update();
              }}
            >
              Show older trainings
            </button>`
          : nothing
      }
    `;
  }

  #listVisible() {
    return this.#records.filter(({ uuid }, index) => index < this.#shown || uuid === this.uuid);
  }
}

function keepFinished(known, record) {
  return known && isFinished(known) && known.state === record.state ? known : record;
}

define("train-page", TrainPage, ["model", "operation", "uuid", "active"]);
