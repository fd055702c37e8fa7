// One training in the list: its state and progress, and what can be done with it.

import { askJson, pathOf } from "../api.js";
import { linkTo } from "../address.js";
import { shortened, summary } from "../format.js";
import { html, nothing } from "../library.js";
import { define, View } from "../view.js";
import { chosenIn, exactTimeOf, isOver, progressOf, shortId, startOf, stateOf, timeOf } from "./record.js";
import "./training-view.js";

const LONGEST = 200;
const LONGEST_TITLE = 2000;

/**
 * `record` is that of the training of `model`, whose trainings have the contract `call`; `isOpen` shows all of
 * it. Tells `record` with a newer one in its detail, and `compare` when it is to be compared, or no longer.
 */
class TrainingCard extends View {
  #isSure = false;
  #told = "";

  async #cancel() {
    if (!this.#isSure) {
      this.#isSure = true;
      await this.update();
      return this.querySelector(".danger")?.focus();
    }
    this.#isSure = false;
    this.#told = "Cancelling …";
    this.update();
    try {
      const record = await askJson(this.#path(), { method: "DELETE" });
      this.dispatchEvent(new CustomEvent("record", { detail: record, bubbles: true }));
      this.#told = "";
    } catch (error) {
      this.#told = error.status === 403 ? `${error.message} Ask whoever runs the server.` : error.message;
    }
    this.update();
  }

  #path() {
    return pathOf(this.model, "train", this.record.uuid);
  }

  #compare(event) {
    this.dispatchEvent(new CustomEvent("compare", { detail: event.target.checked, bubbles: true }));
  }

  view() {
    const { record } = this;
    return html`
      <article class="training ${record.state}" aria-label=${`Training ${shortId(record.uuid)}`}>
        <header>
          <span class="state ${record.state}">${stateOf(record)}</span>
          <a
            class="title"
            href=${linkTo(this.model, "train", this.isOpen ? "" : record.uuid)}
            aria-expanded=${Boolean(this.isOpen)}
          >
            ${startOf(record)} <span class="hint">${shortId(record.uuid)}</span>
          </a>
          <label class="option compare">
            <input
              type="checkbox"
              .checked=${Boolean(this.isCompared)}
              @change=${(event) => this.#compare(event)}
            />
            Compare
          </label>
        </header>
        <p class="what">${this.#what(record)}</p>
        ${record.message && !this.isOpen ? html`<p class="problem">${shortened(record.message, LONGEST)}</p>` : nothing}
        ${isOver(record) ? nothing : this.#progress(record)} ${this.#metrics(record)}
        <div class="actions">
          ${this.#actions(record)} <span class="hint" role="status">${this.#told}</span>
        </div>
        ${this.isOpen ? html`<training-view .model=${this.model} .record=${record}></training-view>` : nothing}
      </article>
    `;
  }

  #what(record) {
    const chosen = chosenIn(record, this.call);
    const words = html`<span title=${summary(chosen, LONGEST_TITLE)}
      >${summary(chosen) || "with the defaults"}</span
    >`;
    return isOver(record) && timeOf(record) ? html`${words} · ${timeView(record)}` : words;
  }

  #progress(record) {
    const progress = progressOf(record);
    const percent =
      progress === null
        ? ""
        : html`<span title=${String(record.progress)}>${Math.round(progress * 100)} %</span>`;
    const comma = percent && timeOf(record) ? ", " : "";
    return html`<div class="progress">
      <progress max="1" .value=${progress ?? nothing} aria-label="Progress"></progress>
      <span>${percent}${comma}${timeView(record)}</span>
    </div>`;
  }

  #metrics({ metrics }) {
    if (!metrics || this.isOpen) return nothing;
    return html`<p class="latest">
      ${Object.entries(metrics).map(([name, value]) => html`<span>${name} <b>${String(value)}</b></span>`)}
    </p>`;
  }

  #actions(record) {
    if (isOver(record) || record.state === "cancelling") return nothing;
    if (!this.#isSure) return html`<button type="button" @click=${() => this.#cancel()}>Cancel</button>`;
    return html`
      <button type="button" class="danger" @click=${() => this.#cancel()}>Cancel it now</button>
      <button
        type="button"
        @click=${() => {
          this.#isSure = false;
          this.update();
        }}
      >
        Let it go on
      </button>
    `;
  }
}

function timeView(record) {
  return html`<span title=${exactTimeOf(record)}>${timeOf(record)}</span>`;
}

define("training-card", TrainingCard, ["model", "call", "record", "isOpen", "isCompared"]);
