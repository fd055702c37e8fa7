// File input: select, drop or paste files, with previews.

import { BaseElement, define } from "../element.js";
import { renderSize } from "../format.js";
import { html, nothing, repeat } from "../lit.js";
import "./file-preview.js";

/** `files` are the selected files; each change dispatches `files` with the new list in its detail. */
class FileField extends BaseElement {
  #isDragOver = false;

  /** Add files to a list argument; otherwise replace the file with the first of them. */
  addFiles(files) {
    const list = [...files];
    if (list.length) this.#setFiles(this.argument.isList ? [...this.files, ...list] : list.slice(0, 1));
  }

  #setFiles(files) {
    this.files = files;
    this.dispatchEvent(new CustomEvent("files", { detail: files, bubbles: true }));
  }

  #remove(file) {
    this.#setFiles(this.files.filter((each) => each !== file));
    this.querySelector("input").focus();
  }

  #highlight(event, isDragOver) {
    event.preventDefault();
    this.#isDragOver = isDragOver;
    this.update();
  }

  #drop(event) {
    this.#highlight(event, false);
    this.addFiles(event.dataTransfer.files);
  }

  #select(event) {
    this.addFiles(event.target.files);
    // Without this, selecting a removed file again would not fire `change`.
    event.target.value = "";
  }

  render() {
    const isList = this.argument.isList;
    return html`
      <div
        class="drop ${this.#isDragOver ? "over" : ""}"
        @dragover=${(event) => this.#highlight(event, true)}
        @dragleave=${(event) => this.#highlight(event, false)}
        @drop=${(event) => this.#drop(event)}
      >
        <input
          id=${this.inputId}
          type="file"
          class="visually-hidden"
          ?multiple=${isList}
          aria-describedby=${this.describedBy}
          aria-invalid=${this.isInvalid}
          @change=${(event) => this.#select(event)}
        />
        <label class="button" for=${this.inputId}>Choose ${isList ? "files" : "a file"}</label>
        <span class="hint">or drop or paste ${isList ? "them" : "it"} here</span>
      </div>
      ${this.files.length ? this.#renderFiles() : nothing}
    `;
  }

  #renderFiles() {
    return html`<ul class="files">
      ${repeat(
        this.files,
        (file) => file,
        (file) =>
          html`<li>
            <file-preview .file=${file}></file-preview>
            <span class="name">${file.name}</span>
            <span class="hint">${renderSize(file.size)}</span>
            <button
              type="button"
              class="plain"
              aria-label=${`Remove ${file.name}`}
              @click=${() => this.#remove(file)}
            >
              ✕
            </button>
          </li>`,
      )}
    </ul>`;
  }
}

define("file-field", FileField, ["inputId", "argument", "files", "describedBy", "isInvalid"]);
