// Displays images, audio, video and PDF with the browser's own viewers.

import { BaseElement, define } from "./element.js";
import { html, nothing } from "./lit.js";
import { getKind } from "./media.js";

/** Shows `blob`; `label` is its accessible name, and `type` overrides the blob's media type. */
class MediaView extends BaseElement {
  #shown = null;
  #url = "";

  disconnectedCallback() {
    this.#setBlob(null);
  }

  connectedCallback() {
    super.connectedCallback();
    this.classList.add("media");
  }

  render() {
    if (this.blob !== this.#shown) this.#setBlob(this.blob);
    if (!this.blob) return nothing;
    switch (getKind(this.type ?? this.blob.type)) {
      case "image":
        return html`<img src=${this.#url} alt=${this.label} />`;
      case "audio":
        return html`<audio controls src=${this.#url} aria-label=${this.label}></audio>`;
      case "video":
        return html`<video controls playsinline src=${this.#url} aria-label=${this.label}></video>`;
      case "pdf":
        return renderPdf(this.#url, this.label);
      default:
        return nothing;
    }
  }

  #setBlob(blob) {
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#shown = blob;
    const type = this.type ?? blob?.type;
    this.#url = blob ? URL.createObjectURL(type === blob.type ? blob : new Blob([blob], { type })) : "";
  }
}

/** Return an iframe without `sandbox`: browsers sandbox their PDF viewer, which does not run in another sandbox. */
function renderPdf(url, label) {
  if (!navigator.pdfViewerEnabled)
    return html`<p>This browser cannot display PDF files. Download the file instead.</p>`;
  return html`<iframe src=${url} title=${label}></iframe>`;
}

define("media-view", MediaView, ["blob", "type", "label"]);
