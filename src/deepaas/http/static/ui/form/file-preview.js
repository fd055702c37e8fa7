// Preview of a selected file: image, audio, video, or the first rows of a table.

import { BaseElement, define } from "../element.js";
import { html, nothing } from "../lit.js";
import { getKind, getSeparator, parseMediaType } from "../media.js";
import { renderCsv } from "../table.js";
import "../media-view.js";

const HEAD_BYTES = 16_384;
const ROWS = 6;
const PREVIEWED = ["image", "audio", "video"];

class FilePreview extends BaseElement {
  #readFile = null;
  #head = "";

  render() {
    const separator = getSeparator(this.file);
    if (separator) return this.#renderHead(separator);
    if (!PREVIEWED.includes(getKind(parseMediaType(this.file.type)))) return nothing;
    return html`<media-view .blob=${this.file} .label=${`Preview of ${this.file.name}`}></media-view>`;
  }

  #renderHead(separator) {
    if (this.#readFile !== this.file) this.#readHead();
    return this.#head ? renderCsv(this.#head, separator, `First rows of ${this.file.name}`) : nothing;
  }

  async #readHead() {
    const file = (this.#readFile = this.file);
    const text = await file.slice(0, HEAD_BYTES).text();
    if (file !== this.file) return;
    this.#head = text.split("\n").slice(0, ROWS).join("\n");
    this.update();
  }
}

define("file-preview", FilePreview, ["file"]);
