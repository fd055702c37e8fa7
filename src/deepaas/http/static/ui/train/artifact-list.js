// The files that a training left, or has left so far.

import { askJson, pathOf } from "../api.js";
import { sizeView } from "../format.js";
import { html, nothing } from "../library.js";
import { define, View } from "../view.js";
import "../download.js";

/** `record` is that of the training of `model`. */
class ArtifactList extends View {
  #files = [];
  #of = "";

  view() {
    const state = `${this.record.uuid} ${this.record.state}`;
    if (state !== this.#of) this.#look(state);
    if (!this.#files.length) return nothing;
    return html`
      <h4>Artifacts</h4>
      <ul class="artifacts">
        ${this.#files.map((file) => this.#row(file))}
      </ul>
    `;
  }

  #row({ path, size: bytes, sha256 }) {
    const place = pathOf(this.model, "train", this.record.uuid, "artifacts", ...path.split("/"));
    return html`<li>
      <download-link .path=${place} .text=${path}></download-link>
      <span class="hint">${sizeView(bytes)}</span>
      ${sha256 ? html`<code class="hint" title=${`SHA-256 ${sha256}`}>${sha256.slice(0, 12)}</code>` : nothing}
    </li>`;
  }

  async #look(state) {
    this.#of = state;
    this.#files = this.record.artifacts ?? (await this.#soFar());
    this.update();
  }

  async #soFar() {
    try {
      return await askJson(pathOf(this.model, "train", this.record.uuid, "artifacts", ""));
    } catch {
      return []; // the training has been removed, or the next look tells why
    }
  }
}

define("artifact-list", ArtifactList, ["model", "record"]);
