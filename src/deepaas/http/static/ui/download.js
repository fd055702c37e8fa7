// Downloads: saves blobs, and files from the server with the token.

import { buildUrl, sendRequest } from "./api.js";
import { BaseElement, define } from "./element.js";
import { html, nothing } from "./lit.js";
import { getToken } from "./token.js";

const REVOKE_AFTER_MS = 60_000;

/** Save `blob` as `filename` through the browser. */
export function save(blob, filename) {
  const url = URL.createObjectURL(blob);
  const link = Object.assign(document.createElement("a"), { href: url, download: filename });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), REVOKE_AFTER_MS);
}

/** A link that downloads the API resource `path`; `text` is the link text. */
class DownloadLink extends BaseElement {
  #problem = "";

  /** Fetch with the Authorization header, which a plain link cannot send. */
  async #fetch(event, filename) {
    if (!getToken()) return;
    event.preventDefault();
    try {
      save(await (await sendRequest(this.path)).blob(), filename);
      this.#problem = "";
    } catch (error) {
      this.#problem = error.message;
    }
    this.update();
  }

  render() {
    const filename = this.text.split("/").pop();
    const fetch = (event) => this.#fetch(event, filename);
    return html`
      <a href=${buildUrl(this.path)} download=${filename} @click=${fetch}>${this.text}</a>
      ${this.#problem ? html`<span class="problem" role="alert">${this.#problem}</span>` : nothing}
    `;
  }
}

define("download-link", DownloadLink, ["path", "text"]);
