// Card with the model's metadata.

import { BaseElement, define } from "../element.js";
import { html, nothing } from "../lit.js";
import { renderValue } from "../response/values.js";
import { renderMarkdown } from "./markdown.js";

const FIRST = ["author", "authors", "author-email", "license", "version", "date"];
const SHOWN_SEPARATELY = ["id", "name", "title", "description", "summary", "links"];

/** `metadata` is the model's metadata from the API. */
class ModelCard extends BaseElement {
  #text = null;
  #description = null;

  render() {
    const { metadata } = this;
    const names = Object.keys(metadata).filter(
      (name) => !SHOWN_SEPARATELY.includes(name) && metadata[name] !== null && metadata[name] !== "",
    );
    const ordered = [
      ...FIRST.filter((name) => names.includes(name)),
      ...names.filter((name) => !FIRST.includes(name)),
    ];
    const links = (Array.isArray(metadata.links) ? metadata.links : []).filter(
      ({ rel, href } = {}) => rel !== "self" && isWeb(href),
    );
    return html`
      <h2>${metadata.title ?? metadata.name}</h2>
      ${typeof metadata.summary === "string" ? html`<p class="summary">${metadata.summary}</p>` : nothing}
      <div class="markdown">${this.#renderDescription(metadata.description)}</div>
      <dl>
        ${ordered.map(
          (name) =>
            html`<div>
              <dt>${name}</dt>
              <dd>${renderFact(metadata[name], name)}</dd>
            </div>`,
        )}
      </dl>
      ${
        links.length
          ? html`<ul class="links">
              ${links.map(({ rel, href, title }) => html`<li>${renderLink(href, title ?? rel ?? href)}</li>`)}
            </ul>`
          : nothing
      }
    `;
  }

  /** Render the Markdown once for each text, since it creates new elements. */
  #renderDescription(description) {
    if (typeof description !== "string")
      return description === undefined ? nothing : renderValue(description);
    if (description !== this.#text) {
      this.#text = description;
      this.#description = renderMarkdown(description);
    }
    return this.#description;
  }
}

function renderFact(value, name) {
  if (isWeb(value)) return renderLink(value, value);
  return renderValue(value, {}, name);
}

function renderLink(href, text) {
  return html`<a href=${href} target="_blank" rel="noopener noreferrer">${text}</a>`;
}

function isWeb(text) {
  return typeof text === "string" && /^https?:\/\/\S+$/i.test(text);
}

define("model-card", ModelCard, ["metadata"]);
