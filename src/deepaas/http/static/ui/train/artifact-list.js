// The artifacts of a training, finished or running.

import { buildPath, fetchJson } from "../api.js";
import { BaseElement, define } from "../element.js";
import { renderSize } from "../format.js";
import { html, nothing } from "../lit.js";
import "../download.js";

/** `record` is the record of a training of `model`. */
class ArtifactList extends BaseElement {
  #files = [];
  #fetchedState = "";

  render() {
    const state = `${this.record.uuid} ${this.record.state}`;
    if (state !== this.#fetchedState) this.#fetch(state);
    if (!this.#files.length) return nothing;
    return html`
      <h4>Artifacts</h4>
      <ul class="artifacts">
        ${this.#files.map((file) => this.#renderFile(file))}
      </ul>
    `;
  }

  #renderFile({ path, size: bytes, sha256 }) {
    const apiPath = buildPath(this.model, "train", this.record.uuid, "artifacts", ...path.split("/"));
    return html`<li>
      <download-link .path=${apiPath} .text=${path}></download-link>
      <span class="hint">${renderSize(bytes)}</span>
      ${sha256 ? html`<code class="hint" title=${`SHA-256 ${sha256}`}>${sha256.slice(0, 12)}</code>` : nothing}
    </li>`;
  }

  async #fetch(state) {
    this.#fetchedState = state;
    this.#files = this.record.artifacts ?? (await this.#fetchCurrent());
    this.update();
  }

  async #fetchCurrent() {
    try {
      return await fetchJson(buildPath(this.model, "train", this.record.uuid, "artifacts", ""));
    } catch {
      return []; // the training was deleted, or its next update reports the error
    }
  }
}

define("artifact-list", ArtifactList, ["model", "record"]);
