// An answer, shown in the way that suits its media type, with the raw text one click away.

import { save } from "../download.js";
import { shortened, sizeView } from "../format.js";
import { parseJson, toJson } from "../json.js";
import { html, nothing } from "../library.js";
import { isShownInPlace, kindOf, separatorOf } from "../media.js";
import { csvView } from "../table.js";
import { define, View } from "../view.js";
import { valueView } from "./values.js";
import "../media-view.js";

const LONGEST_RAW = 200_000;

/** `answer` is one of `answerOf`, `schema` that of the model's JSON. */
class AnswerView extends View {
  #isRaw = false;

  #raw(isRaw) {
    this.#isRaw = isRaw;
    this.update();
  }

  view() {
    const { answer } = this;
    const hasText = answer.text !== undefined;
    return html`
      ${answer.problem ? html`<p class="refusal" role="alert">${answer.problem}</p>` : nothing}
      <div class="shown">${this.#isRaw && hasText ? rawView(answer.text) : this.#shown()}</div>
      ${answer.blob ? this.#actions(answer, hasText) : nothing}
    `;
  }

  #actions(answer, hasText) {
    return html`
      <div class="actions">
        <button type="button" @click=${() => save(answer.blob, answer.filename)}>Download</button>
        ${hasText && kindOf(answer.type) !== "text" ? this.#switch(answer) : nothing}
        <span class="hint">${answer.type}, ${sizeView(answer.blob.size)}</span>
      </div>
    `;
  }

  #switch(answer) {
    const name = answer.value === undefined ? "Text" : "JSON";
    return html`<button type="button" aria-pressed=${this.#isRaw} @click=${() => this.#raw(!this.#isRaw)}>
      ${name}
    </button>`;
  }

  #shown() {
    const { type, blob, text, value } = this.answer;
    const kind = kindOf(type);
    if (isShownInPlace(type))
      return html`<media-view .blob=${blob} .type=${type} .label=${"The answer"}></media-view>`;
    if (value !== undefined) return valueView(value, this.schema);
    if (kind === "table" && text !== undefined) return csvView(text, separatorOf({ type }), "The answer");
    if (text !== undefined) return rawView(text);
    return html`<p>A file that a browser cannot show. Download it to look at it.</p>`;
  }
}

function rawView(text) {
  return html`<pre tabindex="0" aria-label="The answer as text">
${shortened(laidOut(text), LONGEST_RAW)}</pre>`;
}

function laidOut(text) {
  try {
    return toJson(parseJson(text), 2);
  } catch {
    return text;
  }
}

define("answer-view", AnswerView, ["answer", "schema"]);
