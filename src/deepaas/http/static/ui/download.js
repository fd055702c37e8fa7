// Saving files: bytes that the page holds, and what the server has, also behind a token.

import { addressOf, ask } from "./api.js";
import { html, nothing } from "./library.js";
import { currentToken } from "./token.js";
import { define, View } from "./view.js";

const KEPT_MS = 60_000;

/** Let the browser save `blob` as `filename`. */
export function save(blob, filename) {
  const address = URL.createObjectURL(blob);
  const link = Object.assign(document.createElement("a"), { href: address, download: filename });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), KEPT_MS);
}

/** A link that saves what the server has at `path`; `text` is what it reads. */
class DownloadLink extends View {
  #problem = "";

  /** A link alone cannot carry a token. */
  async #fetch(event, filename) {
    if (!currentToken()) return;
    event.preventDefault();
    try {
      save(await (await ask(this.path)).blob(), filename);
      this.#problem = "";
    } catch (error) {
      this.#problem = error.message;
    }
    this.update();
  }

  view() {
    const filename = this.text.split("/").pop();
    const fetch = (event) => this.#fetch(event, filename);
    return html`
      <a href=${addressOf(this.path)} download=${filename} @click=${fetch}>${this.text}</a>
      ${this.#problem ? html`<span class="problem" role="alert">${this.#problem}</span>` : nothing}
    `;
  }
}

define("download-link", DownloadLink, ["path", "text"]);
