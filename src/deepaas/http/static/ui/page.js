// The whole page: which model and tab are shown, and what all of them share.

import { currentAddress, linkTo, TABS } from "./address.js";
import { askJson } from "./api.js";
import { contractOf, modelsIn } from "./contract.js";
import { html, keyed, live, nothing } from "./library.js";
import { isDark, onTheme, switchTheme } from "./theme.js";
import { askForToken, isTokenWanted } from "./token.js";
import { define, View } from "./view.js";
import "./model/model-page.js";
import "./predict/predict-page.js";
import "./train/train-page.js";

const BRAND = html`<img src="static/ui/icon.svg" alt="" width="28" height="28" /><span>DEEPaaS</span>`;
const WORDS = { predict: "Predict", train: "Train", model: "Model" };

class DeepaasPage extends View {
  #contracts = new Map();
  #openapi = null;
  #refusal = null;
  #ended = null;

  connectedCallback() {
    this.#ended = new AbortController();
    const { signal } = this.#ended;
    this.replaceChildren();
    addEventListener("hashchange", () => this.update(), { signal });
    this.addEventListener("reloaded", () => this.#load(), { signal });
    addEventListener("deepaas-token", () => this.update(), { signal });
    onTheme(() => this.update(), signal);
    super.connectedCallback();
    this.update().then(() => this.#load());
  }

  disconnectedCallback() {
    this.#ended.abort();
  }

  async #load() {
    try {
      this.#openapi = await askJson("openapi.json");
      this.#contracts.clear();
      this.#refusal = null;
    } catch (error) {
      this.#refusal = error;
    }
    this.update();
  }

  /** The contract of a model, made once, so that forms do not begin anew with every drawing. */
  #contract(model) {
    if (!this.#contracts.has(model)) this.#contracts.set(model, contractOf(this.#openapi, model));
    return this.#contracts.get(model);
  }

  view() {
    const { model: wanted, tab, uuid } = currentAddress();
    const names = this.#openapi ? modelsIn(this.#openapi) : [];
    const model = names.includes(wanted) ? wanted : (names[0] ?? "");
    document.title = model ? `${model} · DEEPaaS` : "DEEPaaS";
    return html`
      <a class="skip" href="#main" @click=${(event) => this.#skip(event)}>To the content</a>
      <header class="top">
        <span class="brand">${BRAND}</span>
        ${names.length ? this.#switch(names, model) : nothing} ${model ? this.#tabs(model, tab) : nothing}
        <span class="tools">${this.#tools()}</span>
      </header>
      <main id="main" tabindex="-1">${this.#content(names, model, tab, uuid)}</main>
      <token-dialog></token-dialog>
    `;
  }

  #tools() {
    const [sign, name] = isDark() ? ["☀", "Light colours"] : ["☾", "Dark colours"];
    const token = html`<button type="button" class="plain" @click=${() => this.#token()}>Token</button>`;
    return html`
      ${isTokenWanted() ? token : nothing}
      <a class="plain" href="api">API</a>
      <button type="button" class="plain" aria-label=${name} @click=${switchTheme}>${sign}</button>
    `;
  }

  async #token() {
    if (await askForToken("The token that you give is used from now on.", true)) await this.#load();
  }

  /** What is behind the # of the address says which model, so a link within the page moves the focus itself. */
  #skip(event) {
    event.preventDefault();
    this.querySelector("main").focus();
  }

  /** Show another model, on the tab where the reader is. */
  #go(model) {
    location.hash = linkTo(model, currentAddress().tab);
  }

  #switch(names, model) {
    if (names.length === 1) return html`<h1 class="model">${model}</h1>`;
    return html`<h1 class="model">
      <select aria-label="Model" @change=${(event) => this.#go(event.target.value)}>
        ${names.map((name) => html`<option value=${name} .selected=${live(name === model)}>${name}</option>`)}
      </select>
    </h1>`;
  }

  #tabs(model, tab) {
    return html`<nav aria-label="What to do">
      ${TABS.map((each) => {
        const current = each === tab ? "page" : nothing;
        return html`<a href=${linkTo(model, each)} aria-current=${current}>${WORDS[each]}</a>`;
      })}
    </nav>`;
  }

  #content(names, model, tab, uuid) {
    if (this.#refusal) return this.#notLoaded();
    if (!this.#openapi) return html`<p class="loading" role="status">Loading …</p>`;
    if (!model) return html`<p class="card empty">This server serves no model.</p>`;
    const { predict, train } = this.#contract(model);
    return keyed(
      model,
      html`
        <predict-page ?hidden=${tab !== "predict"} .model=${model} .call=${predict}></predict-page>
        <train-page
          ?hidden=${tab !== "train"}
          .model=${model}
          .call=${train}
          .uuid=${uuid}
          .active=${tab === "train"}
        ></train-page>
        <model-page ?hidden=${tab !== "model"} .model=${model} .active=${tab === "model"}></model-page>
      `,
    );
  }

  #notLoaded() {
    return html`<div class="card refusal" role="alert">
      <p><b>${this.#refusal.message}</b></p>
      <div class="actions">
        <button type="button" class="primary" @click=${() => this.#load()}>Try again</button>
      </div>
    </div>`;
  }
}

define("deepaas-page", DeepaasPage);
