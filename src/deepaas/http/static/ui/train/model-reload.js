// Button that reloads the model in new workers.

import { buildPath, sendRequest } from "../api.js";
import { BaseElement, define } from "../element.js";
import { html } from "../lit.js";

/** `model` is the model's name. Dispatches `reloaded` when the new workers have replaced the old ones. */
class ModelReload extends BaseElement {
  #status = "";
  #isBusy = false;

  async #reload() {
    if (this.#isBusy) return;
    this.#isBusy = true;
    this.#status = "Starting new workers …";
    this.update();
    try {
      await sendRequest(buildPath(this.model, "reload"), { method: "POST" });
      this.#status = "New workers are serving.";
      this.dispatchEvent(new CustomEvent("reloaded", { bubbles: true, composed: true }));
    } catch (error) {
      this.#status = error.status === 403 ? `${error.message} Ask the server's operator.` : error.message;
    }
    this.#isBusy = false;
    this.update();
  }

  render() {
    return html`
      <div class="actions">
        <button type="button" aria-disabled=${this.#isBusy} @click=${() => this.#reload()}>
          Reload model
        </button>
        <span class="hint" role="status">${this.#status}</span>
      </div>
      <p class="hint">
        Starts new workers, which load the model from disk. The model's code chooses the files; they are not
        necessarily from a training in this list.
      </p>
    `;
  }
}

define("model-reload", ModelReload, ["model"]);
