// The API token: prompted for once, kept in the browser tab's session storage.

import { BaseElement, define } from "./element.js";
import { html, nothing } from "./lit.js";

const KEY = "deepaas-token";
let pendingPrompt = null;
let isDeclined = false;

/** Return the token, or an empty string. */
export function getToken() {
  return sessionStorage.getItem(KEY) ?? "";
}

/** Check whether the server has asked for a token, even if the user declined to enter one. */
export function isTokenRequired() {
  return isDeclined || getToken() !== "";
}

/**
 * Prompt for a token; `reason` is the server's message. Resolves to true when the user entered one.
 *
 * After the user declined, only a prompt that the user asks for (`isUserRequest`) opens the dialog again.
 */
export async function promptForToken(reason, isUserRequest = false) {
  if (isDeclined && !isUserRequest) return false;
  pendingPrompt ??= document
    .querySelector("token-dialog")
    .prompt(reason)
    .finally(() => (pendingPrompt = null));
  const isEntered = await pendingPrompt;
  isDeclined = !isEntered && !getToken();
  dispatchEvent(new Event("deepaas-token"));
  return isEntered;
}

class TokenDialog extends BaseElement {
  #resolve = null;
  #reason = "";

  async prompt(reason) {
    this.#reason = reason;
    await this.update();
    this.querySelector("dialog").showModal();
    return new Promise((resolve) => (this.#resolve = resolve));
  }

  #submit(event) {
    event.preventDefault();
    const token = new FormData(event.target).get("token").trim();
    if (!token) return;
    sessionStorage.setItem(KEY, token);
    event.target.reset();
    this.#close(true);
  }

  #close(isEntered) {
    this.#resolve?.(isEntered);
    this.#resolve = null;
    this.querySelector("dialog").close();
  }

  #remove() {
    sessionStorage.removeItem(KEY);
    location.reload();
  }

  render() {
    const remove = html`<button type="button" class="plain" @click=${this.#remove}>Remove token</button>`;
    return html`
      <dialog aria-labelledby="token-title" @cancel=${() => this.#close(false)}>
        <form @submit=${(event) => this.#submit(event)}>
          <h2 id="token-title">Token required</h2>
          <p id="token-reason">${this.#reason}</p>
          <label for="token">Token</label>
          <input id="token" name="token" type="password" autocomplete="off" aria-describedby="token-reason" />
          <p class="hint">The server's operator provides it. It is kept until you close this tab.</p>
          <div class="actions">
            <button class="primary">Save</button>
            <button type="button" @click=${() => this.#close(false)}>Not now</button>
            ${getToken() ? remove : nothing}
          </div>
        </form>
      </dialog>
    `;
  }
}

define("token-dialog", TokenDialog);
