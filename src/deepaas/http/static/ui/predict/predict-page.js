// The tab that predicts: the form, the answer, and the calls made since the page was opened.

import { ask, pathOf } from "../api.js";
import { answerOf } from "../answer/answer.js";
import { chosenOf, requestOf } from "../form/request.js";
import { clock, durationView, summary } from "../format.js";
import { html, nothing } from "../library.js";
import { bringIntoSight } from "../sight.js";
import { define, View } from "../view.js";
import "../answer/answer-view.js";
import "../form/argument-form.js";
import "../form/snippet-view.js";

const MOST_CALLS = 50;
const MS = 1000;
const LONGEST_TITLE = 2000;
const EVENTS = "text/event-stream";

/** `model` is a model's name, `call` the contract of its predictions. */
class PredictPage extends View {
  #problems = {};
  #underWay = null;
  #calls = [];
  #shown = null;

  get #form() {
    return this.querySelector("argument-form");
  }

  async #predict(given) {
    if (this.#underWay) return;
    const control = (this.#underWay = new AbortController());
    this.#problems = {};
    this.update();
    const began = performance.now();
    const call = { at: new Date(), values: this.#form.values, said: chosenOf(given) };
    try {
      const { headers, ...request } = requestOf(given);
      const response = await ask(pathOf(this.model, "predict", ""), {
        ...request,
        headers: { ...headers, Accept: this.#accepted(given) },
        signal: control.signal,
      });
      call.answer = await answerOf(response, this.model, this.call.schema, (part) => this.#showPart(call, part));
    } catch (error) {
      call.refusal = error;
    }
    call.tookS = (performance.now() - began) / MS;
    this.#underWay = null;
    this.#keep(call);
  }

  /** Show what there is of an answer that comes by and by. */
  #showPart(call, answer) {
    call.answer = answer;
    this.#shown = call;
    this.update();
  }

  #keep(call) {
    if (call.refusal?.name === "AbortError") return this.update();
    this.#calls = [call, ...this.#calls].slice(0, MOST_CALLS);
    this.#show(call);
    if (!call.refusal?.problems) bringIntoSight(this.querySelector(".answer"));
  }

  async #show(call) {
    this.#shown = call;
    this.#problems = call.refusal?.problems ?? {};
    await this.update();
    if (Object.keys(this.#problems).length) this.#form.showProblems();
  }

  #again(call) {
    this.#form.values = call.values;
    this.#show(call);
  }

  #accepted(given) {
    const chosen = given.find(({ argument }) => argument.name === "accept")?.value;
    const { mediaTypes } = this.call;
    // Of an answer that has begun, only events can say what then went wrong.
    return chosen ?? (mediaTypes.includes(EVENTS) ? EVENTS : (mediaTypes[0] ?? "*/*"));
  }

  #written() {
    const given = this.#form?.given ?? [];
    return {
      model: this.model,
      verb: "predict",
      path: pathOf(this.model, "predict", ""),
      given,
      accept: this.#accepted(given),
    };
  }

  view() {
    if (this.call.unavailable) return html`<p class="card empty">${this.call.unavailable}</p>`;
    return html`
      <div class="columns">
        <section class="card" aria-labelledby="predict-title">
          <h2 id="predict-title">Predict</h2>
          ${this.call.arguments.length ? nothing : html`<p class="hint">This model takes no arguments.</p>`}
          <argument-form
            .prefix=${"predict"}
            .call=${this.call}
            .problems=${this.#problems}
            .buttons=${this.#buttons()}
            @sent=${(event) => this.#predict(event.detail)}
            @changed=${() => this.update()}
          ></argument-form>
          <snippet-view .call=${() => this.#written()}></snippet-view>
        </section>
        <section class="card answer" aria-labelledby="answer-title">
          <h2 id="answer-title">Answer</h2>
          <p class="status" role="status">${this.#status()}</p>
          ${this.#shown ? this.#outcome(this.#shown) : this.#nothingYet()}
          ${this.#calls.length > 1 ? this.#history() : nothing}
        </section>
      </div>
    `;
  }

  #buttons() {
    const isBusy = this.#underWay !== null;
    return html`<div class="actions">
      <button class="primary" aria-disabled=${isBusy}>${isBusy ? "Predicting …" : "Predict"}</button>
      ${
        isBusy
          ? html`<button type="button" @click=${() => this.#underWay.abort()}>Stop waiting</button>`
          : html`<button type="button" class="plain" @click=${() => this.#form.clear()}>Defaults</button>`
      }
    </div>`;
  }

  #status() {
    if (this.#underWay) return html`<span class="spinner"></span> Waiting for the model …`;
    if (!this.#shown) return "";
    const { refusal, tookS } = this.#shown;
    return html`${refusal ? "Not answered, after" : "Answered in"} ${durationView(tookS)}.`;
  }

  #nothingYet() {
    return this.#underWay
      ? nothing
      : html`<p class="empty">Fill in the form and press Predict. The answer is shown here.</p>`;
  }

  #outcome({ answer, refusal }) {
    if (answer) return html`<answer-view .answer=${answer} .schema=${this.call.schema}></answer-view>`;
    const advice = adviceOn(refusal);
    return html`<div class="refusal" role="alert">
      <p><b>${refusal.message}</b></p>
      ${advice ? html`<p>${advice}</p>` : nothing}
    </div>`;
  }

  #history() {
    return html`<details class="history" open>
      <summary>Calls since you opened this page</summary>
      <ol>
        ${this.#calls.map(
          (call) =>
            html`<li>
              <button type="button" aria-current=${call === this.#shown} @click=${() => this.#again(call)}>
                <span class="hint">${clock(call.at)}</span>
                <span class="what" title=${summary(call.said, LONGEST_TITLE)}
                  >${summary(call.said) || "with the defaults"}</span
                >
                <span class="hint"
                  >${call.refusal ? call.refusal.status || "failed" : durationView(call.tookS)}</span
                >
              </button>
            </li>`,
        )}
      </ol>
    </details>`;
  }
}

/** Return what the reader may do about a refusal. */
function adviceOn({ status, problems }) {
  if (problems) return "What is wrong is written at each field.";
  if (status === 403) return "Your token does not allow this. Ask whoever runs the server for another one.";
  if (status === 413) return "Try a smaller file.";
  if (status === 503) return "The model is starting, or has too much to do. Try again in a moment.";
  if (status === 504)
    return "The model took too long. Try something smaller, or ask for a longer --predict-timeout.";
  return status >= 500 ? "The model failed; the server's log says more." : "";
}

define("predict-page", PredictPage, ["model", "call"]);
