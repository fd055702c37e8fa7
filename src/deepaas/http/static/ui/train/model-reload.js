// The button that has new workers load the model again, with what its code finds on disk.

import { ask, pathOf } from "../api.js";
import { html } from "../library.js";
import { define, View } from "../view.js";

/** `model` is a model's name. Dispatches `reloaded` when new workers have taken over. */
class ModelReload extends View {
  #status = "";
  #isBusy = false;

  async #reload() {
    if (this.#isBusy) return;
    this.#isBusy = true;
    this.#status = "New workers are starting …";
    this.update();
    try {
      await ask(pathOf(this.model, "reload"), { method: "POST" });
      this.#status = "New workers answer from now on.";
      this.dispatchEvent(new CustomEvent("reloaded", { bubbles: true, composed: true }));
    } catch (error) {
      this.#status = error.status === 403 ? `${error.message} Ask whoever runs the server.` : error.message;
    }
    this.#isBusy = false;
    this.update();
  }

  view() {
    return html`
      <div class="actions">
        <button type="button" aria-disabled=${this.#isBusy} @click=${() => this.#reload()}>
          Reload the model
        </button>
        <span class="hint" role="status">${this.#status}</span>
      </div>
      <p class="hint">
        Starts new workers. They load what the model's code finds on disk, which need not be the result of a
        training in this list.
      </p>
    `;
  }
}

define("model-reload", ModelReload, ["model"]);
