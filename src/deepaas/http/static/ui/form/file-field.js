// Files chosen with the button, dropped or pasted, with what can be seen of them beforehand.

import { sizeView } from "../format.js";
import { html, nothing, repeat } from "../library.js";
import { define, View } from "../view.js";
import "./file-preview.js";

/** `files` are those chosen; each change is told in an event `files`, whose detail are those there are then. */
class FileField extends View {
  #isOver = false;

  /** Take files in, as if they had been chosen here. */
  take(files) {
    const list = [...files];
    if (list.length) this.#tell(this.argument.isList ? [...this.files, ...list] : list.slice(0, 1));
  }

  #tell(files) {
    this.files = files;
    this.dispatchEvent(new CustomEvent("files", { detail: files, bubbles: true }));
  }

  #remove(file) {
    this.#tell(this.files.filter((each) => each !== file));
    this.querySelector("input").focus();
  }

  #over(event, isOver) {
    event.preventDefault();
    this.#isOver = isOver;
    this.update();
  }

  #drop(event) {
    this.#over(event, false);
    this.take(event.dataTransfer.files);
  }

  #choose(event) {
    this.take(event.target.files);
    // So that the same file can be chosen again after it was removed.
    event.target.value = "";
  }

  view() {
    const several = this.argument.isList;
    return html`
      <div
        class="drop ${this.#isOver ? "over" : ""}"
        @dragover=${(event) => this.#over(event, true)}
        @dragleave=${(event) => this.#over(event, false)}
        @drop=${(event) => this.#drop(event)}
      >
        <input
          id=${this.inputId}
          type="file"
          class="unseen"
          ?multiple=${several}
          aria-describedby=${this.described}
          aria-invalid=${this.isWrong}
          @change=${(event) => this.#choose(event)}
        />
        <label class="button" for=${this.inputId}>Choose ${several ? "files" : "a file"}</label>
        <span class="hint">or drop or paste ${several ? "them" : "it"} here</span>
      </div>
      ${this.files.length ? this.#chosen() : nothing}
    `;
  }

  #chosen() {
    return html`<ul class="files">
      ${repeat(
        this.files,
        (file) => file,
        (file) =>
          html`<li>
            <file-preview .file=${file}></file-preview>
            <span class="name">${file.name}</span>
            <span class="hint">${sizeView(file.size)}</span>
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

define("file-field", FileField, ["inputId", "argument", "files", "described", "isWrong"]);
