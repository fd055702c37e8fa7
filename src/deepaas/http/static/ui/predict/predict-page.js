// The Predict tab: form, response and the calls since page load.

import { buildPath, sendRequest } from "../api.js";
import { BaseElement, define } from "../element.js";
import { buildRequest, selectChanged } from "../form/request.js";
import { formatClockTime, renderDuration, summarize } from "../format.js";
import { html, nothing } from "../lit.js";
import { readResponse } from "../response/response.js";
import { scrollIntoViewIfNeeded } from "../scroll.js";
import "../response/response-view.js";
import "../form/argument-form.js";
import "../form/snippet-view.js";

const MAX_CALLS = 50;
const MS = 1000;
const MAX_TITLE_LENGTH = 2000;
const EVENTS = "text/event-stream";

/** `model` is the model's name, `operation` its predict operation. */
class PredictPage extends BaseElement {
  #problems = {};
  #controller = null;
  #calls = [];
  #shown = null;

  get #form() {
    return this.querySelector("argument-form");
  }

  async #predict(inputs) {
    if (this.#controller) return;
    const controller = (this.#controller = new AbortController());
    this.#problems = {};
    this.update();
    const startMs = performance.now();
    const call = { at: new Date(), values: this.#form.values, changed: selectChanged(inputs) };
    try {
      const { headers, ...request } = buildRequest(inputs);
      const response = await sendRequest(buildPath(this.model, "predict", ""), {
        ...request,
        headers: { ...headers, Accept: this.#getAccept(inputs) },
        signal: controller.signal,
      });
      const showPart = (part) => this.#showPart(call, part);
      call.response = await readResponse(response, this.model, this.operation.schema, showPart);
    } catch (error) {
      call.error = error;
    }
    call.tookS = (performance.now() - startMs) / MS;
    this.#controller = null;
    this.#addCall(call);
  }

  /** Show the items of a stream that have been received so far. */
  #showPart(call, response) {
    call.response = response;
    this.#shown = call;
    this.update();
  }

  #addCall(call) {
    if (call.error?.name === "AbortError") return this.update();
    this.#calls = [call, ...this.#calls].slice(0, MAX_CALLS);
    this.#show(call);
    if (!call.error?.problems) scrollIntoViewIfNeeded(this.querySelector(".response"));
  }

  async #show(call) {
    this.#shown = call;
    this.#problems = call.error?.problems ?? {};
    await this.update();
    if (Object.keys(this.#problems).length) this.#form.focusProblem();
  }

  #restore(call) {
    this.#form.values = call.values;
    this.#show(call);
  }

  #getAccept(inputs) {
    const chosen = inputs.find(({ argument }) => argument.name === "accept")?.value;
    const { mediaTypes } = this.operation;
    // After the headers are sent, only server-sent events can report an error.
    return chosen ?? (mediaTypes.includes(EVENTS) ? EVENTS : (mediaTypes[0] ?? "*/*"));
  }

  #describeCall() {
    const inputs = this.#form?.inputs ?? [];
    return {
      model: this.model,
      verb: "predict",
      path: buildPath(this.model, "predict", ""),
      inputs,
      accept: this.#getAccept(inputs),
    };
  }

  render() {
    if (this.operation.unavailable) return html`<p class="card empty">${this.operation.unavailable}</p>`;
    const hasArguments = this.operation.arguments.length > 0;
    return html`
      <div class="columns">
        <section class="card" aria-labelledby="predict-title">
          <h2 id="predict-title">Predict</h2>
          ${hasArguments ? nothing : html`<p class="hint">This model takes no arguments.</p>`}
          <argument-form
            .prefix=${"predict"}
            .operation=${this.operation}
            .problems=${this.#problems}
            .buttons=${this.#renderButtons()}
            @sent=${(event) => this.#predict(event.detail)}
            @changed=${() => this.update()}
          ></argument-form>
          <snippet-view .getCall=${() => this.#describeCall()}></snippet-view>
        </section>
        <section class="card response" aria-labelledby="response-title">
          <h2 id="response-title">Response</h2>
          <p class="status" role="status">${this.#renderStatus()}</p>
          ${this.#shown ? this.#renderOutcome(this.#shown) : this.#renderPlaceholder()}
          ${this.#calls.length > 1 ? this.#renderHistory() : nothing}
        </section>
      </div>
    `;
  }

  #renderButtons() {
    const isBusy = this.#controller !== null;
    return html`<div class="actions">
      <button class="primary" aria-disabled=${isBusy}>${isBusy ? "Predicting …" : "Predict"}</button>
      ${
        isBusy
          ? html`<button type="button" @click=${() => this.#controller.abort()}>Cancel</button>`
          : html`<button type="button" class="plain" @click=${() => this.#form.reset()}>
              Reset to defaults
            </button>`
      }
    </div>`;
  }

  #renderStatus() {
    if (this.#controller) return html`<span class="spinner"></span> Waiting for the model …`;
    if (!this.#shown) return "";
    const { error, tookS } = this.#shown;
    return html`${error ? "Failed after" : "Response in"} ${renderDuration(tookS)}.`;
  }

  #renderPlaceholder() {
    return this.#controller
      ? nothing
      : html`<p class="empty">Fill in the form and press Predict. The response appears here.</p>`;
  }

  #renderOutcome({ response, error }) {
    const { schema } = this.operation;
    if (response) return html`<response-view .response=${response} .schema=${schema}></response-view>`;
    const advice = getAdvice(error);
    return html`<div class="alert" role="alert">
      <p><b>${error.message}</b></p>
      ${advice ? html`<p>${advice}</p>` : nothing}
    </div>`;
  }

  #renderHistory() {
    return html`<details class="history" open>
      <summary>Calls since page load</summary>
      <ol>
        ${this.#calls.map(
          (call) =>
            html`<li>
              <button type="button" aria-current=${call === this.#shown} @click=${() => this.#restore(call)}>
                <span class="hint">${formatClockTime(call.at)}</span>
                <span class="overview" title=${summarize(call.changed, MAX_TITLE_LENGTH)}
                  >${summarize(call.changed) || "default arguments"}</span
                >
                <span class="hint"
                  >${call.error ? call.error.status || "failed" : renderDuration(call.tookS)}</span
                >
              </button>
            </li>`,
        )}
      </ol>
    </details>`;
  }
}

/** Return advice for the user about an `ApiError`, or an empty string. */
function getAdvice({ status, problems }) {
  if (problems) return "Correct the marked fields.";
  if (status === 403) return "Your token does not permit this. Ask the server's operator for another token.";
  if (status === 413) return "Try a smaller file.";
  if (status === 503) return "The model is starting or overloaded. Try again in a moment.";
  if (status === 504)
    return "The model took too long. Try a smaller input, or ask the operator to increase --predict-timeout.";
  return status >= 500 ? "The model failed. See the server's log for details." : "";
}

define("predict-page", PredictPage, ["model", "operation"]);
