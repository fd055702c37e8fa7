// Panel with the call as code for curl, Python and deepaas-cli, and a Copy button.

import { BaseElement, define } from "../element.js";
import { html } from "../lit.js";
import { buildSnippets } from "./snippets.js";

/** `getCall` returns the current call, as described at `buildSnippets`. */
class SnippetView extends BaseElement {
  #tool = "curl";
  #status = "";

  async #copy(text) {
    this.#status = (await copyText(text, this.querySelector("pre")))
      ? "Copied."
      : "Press Ctrl+C to copy the selected text.";
    this.update();
  }

  #choose(tool) {
    this.#tool = tool;
    this.#status = "";
    this.update();
  }

  render() {
    const snippets = buildSnippets(this.getCall());
    const text = snippets[this.#tool];
    return html`
      <details class="snippets">
        <summary>Use via API</summary>
        <div class="segments" role="group" aria-label="Tool">
          ${Object.keys(snippets).map(
            (tool) =>
              html`<button
                type="button"
                aria-pressed=${tool === this.#tool}
                @click=${() => this.#choose(tool)}
              >
                ${tool}
              </button>`,
          )}
        </div>
        <pre tabindex="0" aria-label=${`Code for ${this.#tool}`}>${text}</pre>
        <button type="button" @click=${() => this.#copy(text)}>Copy</button>
        <span class="hint" role="status">${this.#status}</span>
      </details>
    `;
  }
}

/** Copy the text and return true; select it instead if the browser denies access to the clipboard (HTTP). */
async function copyText(text, element) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection().selectAllChildren(element);
    return false;
  }
}

define("snippet-view", SnippetView, ["getCall"]);
