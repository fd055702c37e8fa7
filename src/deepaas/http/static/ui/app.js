// The root element: header, model selection, tabs, theme and token.

import { fetchJson } from "./api.js";
import { BaseElement, define } from "./element.js";
import { html, keyed, live, nothing } from "./lit.js";
import { listModels, parseOperations } from "./openapi.js";
import { buildLink, getRoute, TABS } from "./router.js";
import { isDark, onThemeChange, switchTheme } from "./theme.js";
import { isTokenRequired, promptForToken } from "./token.js";
import "./model/model-page.js";
import "./predict/predict-page.js";
import "./train/train-page.js";

const BRAND = html`<img src="static/ui/icon.svg" alt="" width="28" height="28" /><span>DEEPaaS</span>`;
const TAB_LABELS = { predict: "Predict", train: "Train", model: "Model" };

class DeepaasPage extends BaseElement {
  #operations = new Map();
  #openapi = null;
  #error = null;
  #controller = null;

  connectedCallback() {
    this.#controller = new AbortController();
    const { signal } = this.#controller;
    this.replaceChildren();
    addEventListener("hashchange", () => this.update(), { signal });
    this.addEventListener("reloaded", () => this.#load(), { signal });
    addEventListener("deepaas-token", () => this.update(), { signal });
    onThemeChange(() => this.update(), signal);
    super.connectedCallback();
    this.update().then(() => this.#load());
  }

  disconnectedCallback() {
    this.#controller.abort();
  }

  async #load() {
    try {
      this.#openapi = await fetchJson("openapi.json");
      this.#operations.clear();
      this.#error = null;
    } catch (error) {
      this.#error = error;
    }
    this.update();
  }

  /** Return a model's operations: the same object until the next load, because a new one resets the forms. */
  #getOperations(model) {
    if (!this.#operations.has(model)) this.#operations.set(model, parseOperations(this.#openapi, model));
    return this.#operations.get(model);
  }

  render() {
    const { model: requested, tab, uuid } = getRoute();
    const names = this.#openapi ? listModels(this.#openapi) : [];
    const model = names.includes(requested) ? requested : (names[0] ?? "");
    document.title = model ? `${model} · DEEPaaS` : "DEEPaaS";
    return html`
      <a class="skip" href="#main" @click=${(event) => this.#focusMain(event)}>Skip to content</a>
      <header class="top">
        <span class="brand">${BRAND}</span>
        ${names.length ? this.#renderModelSelect(names, model) : nothing}
        ${model ? this.#renderTabs(model, tab) : nothing}
        <span class="tools">${this.#renderTools()}</span>
      </header>
      <main id="main" tabindex="-1">${this.#renderContent(names, model, tab, uuid)}</main>
      <token-dialog></token-dialog>
    `;
  }

  #renderTools() {
    const [icon, label] = isDark() ? ["☀", "Light theme"] : ["☾", "Dark theme"];
    const token = html`<button type="button" class="plain" @click=${() => this.#changeToken()}>
      Token
    </button>`;
    return html`
      ${isTokenRequired() ? token : nothing}
      <a class="plain" href="api">API</a>
      <button type="button" class="plain" aria-label=${label} @click=${switchTheme}>${icon}</button>
    `;
  }

  async #changeToken() {
    if (await promptForToken("Enter the token to use from now on.", true)) await this.#load();
  }

  /** Move the focus without changing the URL fragment, which holds the route. */
  #focusMain(event) {
    event.preventDefault();
    this.querySelector("main").focus();
  }

  /** Show another model on the current tab. */
  #selectModel(model) {
    location.hash = buildLink(model, getRoute().tab);
  }

  #renderModelSelect(names, model) {
    if (names.length === 1) return html`<h1 class="model">${model}</h1>`;
    return html`<h1 class="model">
      <select aria-label="Model" @change=${(event) => this.#selectModel(event.target.value)}>
        ${names.map((name) => html`<option value=${name} .selected=${live(name === model)}>${name}</option>`)}
      </select>
    </h1>`;
  }

  #renderTabs(model, tab) {
    return html`<nav aria-label="Main">
      ${TABS.map((each) => {
        const current = each === tab ? "page" : nothing;
        return html`<a href=${buildLink(model, each)} aria-current=${current}>${TAB_LABELS[each]}</a>`;
      })}
    </nav>`;
  }

  #renderContent(names, model, tab, uuid) {
    if (this.#error) return this.#renderError();
    if (!this.#openapi) return html`<p class="loading" role="status">Loading …</p>`;
    if (!model) return html`<p class="card empty">This server has no models.</p>`;
    const { predict, train } = this.#getOperations(model);
    return keyed(
      model,
      html`
        <predict-page ?hidden=${tab !== "predict"} .model=${model} .operation=${predict}></predict-page>
        <train-page
          ?hidden=${tab !== "train"}
          .model=${model}
          .operation=${train}
          .uuid=${uuid}
          .active=${tab === "train"}
        ></train-page>
        <model-page ?hidden=${tab !== "model"} .model=${model} .active=${tab === "model"}></model-page>
      `,
    );
  }

  #renderError() {
    return html`<div class="card alert" role="alert">
      <p><b>${this.#error.message}</b></p>
      <div class="actions">
        <button type="button" class="primary" @click=${() => this.#load()}>Try again</button>
      </div>
    </div>`;
  }
}

define("deepaas-page", DeepaasPage);
