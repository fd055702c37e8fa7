// A training in the list: state, progress and actions.

import { buildPath, fetchJson } from "../api.js";
import { BaseElement, define } from "../element.js";
import { summarize, truncate } from "../format.js";
import { html, nothing } from "../lit.js";
import { buildLink } from "../router.js";
import {
  formatStart,
  formatState,
  formatTime,
  getExactTime,
  getProgress,
  isFinished,
  selectChangedArguments,
  shortenId,
} from "./training-record.js";
import "./training-view.js";

const MAX_MESSAGE_LENGTH = 200;
const MAX_TITLE_LENGTH = 2000;

/**
 * `record` is the record of a training of `model`, `operation` the model's train operation; `isOpen` shows the
 * training in full. Dispatches `record` with a newer record in its detail, and `compare` with a boolean.
 */
class TrainingCard extends BaseElement {
  #isConfirming = false;
  #status = "";

  async #cancel() {
    if (!this.#isConfirming) {
      this.#isConfirming = true;
      await this.update();
      return this.querySelector(".danger")?.focus();
    }
    this.#isConfirming = false;
    this.#status = "Cancelling …";
    this.update();
    try {
      const record = await fetchJson(this.#buildPath(), { method: "DELETE" });
      this.dispatchEvent(new CustomEvent("record", { detail: record, bubbles: true }));
      this.#status = "";
    } catch (error) {
      this.#status = error.status === 403 ? `${error.message} Ask the server's operator.` : error.message;
    }
    this.update();
  }

  #buildPath() {
    return buildPath(this.model, "train", this.record.uuid);
  }

  #setCompared(event) {
    this.dispatchEvent(new CustomEvent("compare", { detail: event.target.checked, bubbles: true }));
  }

  render() {
    const { record } = this;
    return html`
      <article class="training ${record.state}" aria-label=${`Training ${shortenId(record.uuid)}`}>
        <header>
          <span class="state ${record.state}">${formatState(record)}</span>
          <a
            class="title"
            href=${buildLink(this.model, "train", this.isOpen ? "" : record.uuid)}
            aria-expanded=${Boolean(this.isOpen)}
          >
            ${formatStart(record)} <span class="hint">${shortenId(record.uuid)}</span>
          </a>
          <label class="option compare">
            <input
              type="checkbox"
              .checked=${Boolean(this.isCompared)}
              @change=${(event) => this.#setCompared(event)}
            />
            Compare
          </label>
        </header>
        <p class="overview">${this.#renderOverview(record)}</p>
        ${record.message && !this.isOpen ? html`<p class="problem">${truncate(record.message, MAX_MESSAGE_LENGTH)}</p>` : nothing}
        ${isFinished(record) ? nothing : this.#renderProgress(record)} ${this.#renderMetrics(record)}
        <div class="actions">
          ${this.#renderActions(record)} <span class="hint" role="status">${this.#status}</span>
        </div>
        ${this.isOpen ? html`<training-view .model=${this.model} .record=${record}></training-view>` : nothing}
      </article>
    `;
  }

  #renderOverview(record) {
    const changed = selectChangedArguments(record, this.operation);
    const overview = html`<span title=${summarize(changed, MAX_TITLE_LENGTH)}
      >${summarize(changed) || "default arguments"}</span
    >`;
    return isFinished(record) && formatTime(record) ? html`${overview} · ${renderTime(record)}` : overview;
  }

  #renderProgress(record) {
    const progress = getProgress(record);
    const percent =
      progress === null
        ? ""
        : html`<span title=${String(record.progress)}>${Math.round(progress * 100)} %</span>`;
    const separator = percent && formatTime(record) ? ", " : "";
    return html`<div class="progress">
      <progress max="1" .value=${progress ?? nothing} aria-label="Progress"></progress>
      <span>${percent}${separator}${renderTime(record)}</span>
    </div>`;
  }

  #renderMetrics({ metrics }) {
    if (!metrics || this.isOpen) return nothing;
    return html`<p class="latest">
      ${Object.entries(metrics).map(([name, value]) => html`<span>${name} <b>${String(value)}</b></span>`)}
    </p>`;
  }

  #renderActions(record) {
    if (isFinished(record) || record.state === "cancelling") return nothing;
    if (!this.#isConfirming)
      return html`<button type="button" @click=${() => this.#cancel()}>Cancel</button>`;
    return html`
      <button type="button" class="danger" @click=${() => this.#cancel()}>Confirm cancellation</button>
      <button
        type="button"
        @click=${() => {
          this.#isConfirming = false;
          this.update();
        }}
      >
        Keep running
      </button>
    `;
  }
}

function renderTime(record) {
  return html`<span title=${getExactTime(record)}>${formatTime(record)}</span>`;
}

define("training-card", TrainingCard, ["model", "operation", "record", "isOpen", "isCompared"]);
