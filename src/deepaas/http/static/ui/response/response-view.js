// Displays a response according to its media type, with the raw text on request.

import { save } from "../download.js";
import { BaseElement, define } from "../element.js";
import { renderSize, truncate } from "../format.js";
import { parseJson, toJson } from "../json.js";
import { html, nothing } from "../lit.js";
import { getKind, getSeparator, isViewable } from "../media.js";
import { renderCsv } from "../table.js";
import { renderValue } from "./values.js";
import "../media-view.js";

const MAX_RAW_LENGTH = 200_000;

/** `response` comes from `readResponse`; `schema` describes the model's JSON. */
class ResponseView extends BaseElement {
  #isRaw = false;

  #setRaw(isRaw) {
    this.#isRaw = isRaw;
    this.update();
  }

  render() {
    const { response } = this;
    const hasText = response.text !== undefined;
    return html`
      ${response.problem ? html`<p class="alert" role="alert">${response.problem}</p>` : nothing}
      <div class="shown">${this.#isRaw && hasText ? renderRaw(response.text) : this.#renderContent()}</div>
      ${response.blob ? this.#renderActions(response, hasText) : nothing}
    `;
  }

  #renderActions(response, hasText) {
    return html`
      <div class="actions">
        <button type="button" @click=${() => save(response.blob, response.filename)}>Download</button>
        ${hasText && getKind(response.type) !== "text" ? this.#renderRawToggle(response) : nothing}
        <span class="hint">${response.type}, ${renderSize(response.blob.size)}</span>
      </div>
    `;
  }

  #renderRawToggle(response) {
    const label = response.value === undefined ? "Text" : "JSON";
    return html`<button type="button" aria-pressed=${this.#isRaw} @click=${() => this.#setRaw(!this.#isRaw)}>
      ${label}
    </button>`;
  }

  #renderContent() {
    const { type, blob, text, value } = this.response;
    const kind = getKind(type);
    if (isViewable(type))
      return html`<media-view .blob=${blob} .type=${type} .label=${"Response"}></media-view>`;
    if (value !== undefined) return renderValue(value, this.schema);
    if (kind === "table" && text !== undefined) return renderCsv(text, getSeparator({ type }), "Response");
    if (text !== undefined) return renderRaw(text);
    return html`<p>The browser cannot display this file. Download it instead.</p>`;
  }
}

function renderRaw(text) {
  return html`<pre tabindex="0" aria-label="Response as text">
${truncate(indentJson(text), MAX_RAW_LENGTH)}</pre>`;
}

function indentJson(text) {
  try {
    return toJson(parseJson(text), 2);
  } catch {
    return text;
  }
}

define("response-view", ResponseView, ["response", "schema"]);
