// A picture, sound, film or document, shown in place. Only a browser's own viewers ever see the bytes.

import { html, nothing } from "./library.js";
import { kindOf } from "./media.js";
import { define, View } from "./view.js";

/** `blob` is what to show, `label` says in words what it is; `type` overrides the blob's own media type. */
class MediaView extends View {
  #shown = null;
  #address = "";

  disconnectedCallback() {
    this.#let(null);
  }

  connectedCallback() {
    super.connectedCallback();
    this.classList.add("media");
  }

  view() {
    if (this.blob !== this.#shown) this.#let(this.blob);
    if (!this.blob) return nothing;
    switch (kindOf(this.type ?? this.blob.type)) {
      case "picture":
        return html`<img src=${this.#address} alt=${this.label} />`;
      case "audio":
        return html`<audio controls src=${this.#address} aria-label=${this.label}></audio>`;
      case "video":
        return html`<video controls playsinline src=${this.#address} aria-label=${this.label}></video>`;
      case "pdf":
        return pdfView(this.#address, this.label);
      default:
        return nothing;
    }
  }

  #let(blob) {
    if (this.#address) URL.revokeObjectURL(this.#address);
    this.#shown = blob;
    const type = this.type ?? blob?.type;
    this.#address = blob ? URL.createObjectURL(type === blob.type ? blob : new Blob([blob], { type })) : "";
  }
}

/** The bytes go to the browser's viewer, which is a sandbox of its own, and refuses to work in one of ours. */
function pdfView(address, label) {
  if (!navigator.pdfViewerEnabled) return html`<p>This browser shows no PDF. Download it to read it.</p>`;
  return html`<iframe src=${address} title=${label}></iframe>`;
}

define("media-view", MediaView, ["blob", "type", "label"]);
