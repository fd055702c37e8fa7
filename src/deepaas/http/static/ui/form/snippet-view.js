// The panel that shows a call as curl, Python or deepaas-cli, and copies it.

import { html } from "../library.js";
import { define, View } from "../view.js";
import { snippetsOf } from "./snippets.js";

/** `call` is a function that returns what `snippetsOf` takes, as the form stands now. */
class SnippetView extends View {
  #tool = "curl";
  #told = "";

  async #copy(text) {
    this.#told = (await copied(text, this.querySelector("pre")))
      ? "Copied."
      : "Press Ctrl+C to copy what is marked.";
    this.update();
  }

  #choose(tool) {
    this.#tool = tool;
    this.#told = "";
    this.update();
  }

  view() {
    const snippets = snippetsOf(this.call());
    const text = snippets[this.#tool];
    return html`
      <details class="snippets">
        <summary>Call it from elsewhere</summary>
        <div class="segments" role="group" aria-label="Write the call as">
          ${Object.keys(snippets).map(
            (tool) =>
              html`<button
                type="button"
                aria-pressed=${tool === this.#tool}
                @click=${() => this.#choose(tool)}
              >
                as ${tool}
              </button>`,
          )}
        </div>
        <pre tabindex="0" aria-label=${`The call as ${this.#tool}`}>${text}</pre>
        <button type="button" @click=${() => this.#copy(text)}>Copy</button>
        <span class="hint" role="status">${this.#told}</span>
      </details>
    `;
  }
}

/** Copy, or, where the browser does not allow that (plain HTTP), mark the text for the reader to copy. */
async function copied(text, shown) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection().selectAllChildren(shown);
    return false;
  }
}

define("snippet-view", SnippetView, ["call"]);
