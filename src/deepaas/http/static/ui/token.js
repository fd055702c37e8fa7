// The token that a server may want: asked for once, kept for this browser tab only.

import { html, nothing } from "./library.js";
import { define, View } from "./view.js";

const KEY = "deepaas-token";
let asking = null;
let isDeclined = false;

/** Return the token, or an empty text. */
export function currentToken() {
  return sessionStorage.getItem(KEY) ?? "";
}

/** Say whether the server has asked for a token, be there one or not. */
export function isTokenWanted() {
  return isDeclined || currentToken() !== "";
}

/**
 * Ask the reader for a token; `reason` is what the server said. Resolves to whether one was given.
 *
 * Who has declined once is left alone until they ask for it themselves: `isOwnWish`.
 */
export async function askForToken(reason, isOwnWish = false) {
  if (isDeclined && !isOwnWish) return false;
  asking ??= document
    .querySelector("token-dialog")
    .ask(reason)
    .finally(() => (asking = null));
  const isGiven = await asking;
  isDeclined = !isGiven && !currentToken();
  dispatchEvent(new Event("deepaas-token"));
  return isGiven;
}

class TokenDialog extends View {
  #done = null;
  #reason = "";

  async ask(reason) {
    this.#reason = reason;
    await this.update();
    this.querySelector("dialog").showModal();
    return new Promise((done) => (this.#done = done));
  }

  #give(event) {
    event.preventDefault();
    const token = new FormData(event.target).get("token").trim();
    if (!token) return;
    sessionStorage.setItem(KEY, token);
    event.target.reset();
    this.#close(true);
  }

  #close(isGiven) {
    this.#done?.(isGiven);
    this.#done = null;
    this.querySelector("dialog").close();
  }

  #forget() {
    sessionStorage.removeItem(KEY);
    location.reload();
  }

  view() {
    const forget = html`<button type="button" class="plain" @click=${this.#forget}>Forget the token</button>`;
    return html`
      <dialog aria-labelledby="token-title" @cancel=${() => this.#close(false)}>
        <form @submit=${(event) => this.#give(event)}>
          <h2 id="token-title">This server wants a token</h2>
          <p id="token-reason">${this.#reason}</p>
          <label for="token">Token</label>
          <input id="token" name="token" type="password" autocomplete="off" aria-describedby="token-reason" />
          <p class="hint">Whoever runs the server gives it to you. It is kept until you close this tab.</p>
          <div class="actions">
            <button class="primary">Use it</button>
            <button type="button" @click=${() => this.#close(false)}>Not now</button>
            ${currentToken() ? forget : nothing}
          </div>
        </form>
      </dialog>
    `;
  }
}

define("token-dialog", TokenDialog);
