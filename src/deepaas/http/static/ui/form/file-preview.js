// What can be seen of a file before it is sent: a picture, a sound, a film, or the first rows of a table.

import { html, nothing } from "../library.js";
import { bare, kindOf, separatorOf } from "../media.js";
import { csvView } from "../table.js";
import { define, View } from "../view.js";
import "../media-view.js";

const HEAD_BYTES = 16_384;
const ROWS = 6;
const SEEN = ["picture", "audio", "video"];

class FilePreview extends View {
  #read = null;
  #head = "";

  view() {
    const separator = separatorOf(this.file);
    if (separator) return this.#table(separator);
    if (!SEEN.includes(kindOf(bare(this.file.type)))) return nothing;
    return html`<media-view .blob=${this.file} .label=${`Preview of ${this.file.name}`}></media-view>`;
  }

  #table(separator) {
    if (this.#read !== this.file) this.#readHead();
    return this.#head ? csvView(this.#head, separator, `The first rows of ${this.file.name}`) : nothing;
  }

  async #readHead() {
    const file = (this.#read = this.file);
    const text = await file.slice(0, HEAD_BYTES).text();
    if (file !== this.file) return;
    this.#head = text.split("\n").slice(0, ROWS).join("\n");
    this.update();
  }
}

define("file-preview", FilePreview, ["file"]);
