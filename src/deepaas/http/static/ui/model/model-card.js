// What a model says of itself, as a card.

import { valueView } from "../answer/values.js";
import { html, nothing } from "../library.js";
import { define, View } from "../view.js";
import { markdown } from "./markdown.js";

const FIRST = ["author", "authors", "author-email", "license", "version", "date"];
const ELSEWHERE = ["id", "name", "title", "description", "summary", "links"];

/** `metadata` is the model's, as the API has it. */
class ModelCard extends View {
  #text = null;
  #description = null;

  view() {
    const { metadata } = this;
    const names = Object.keys(metadata).filter(
      (name) => !ELSEWHERE.includes(name) && metadata[name] !== null && metadata[name] !== "",
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
      <div class="markdown">${this.#markdown(metadata.description)}</div>
      <dl>
        ${ordered.map(
          (name) =>
            html`<div>
              <dt>${name}</dt>
              <dd>${factView(metadata[name], name)}</dd>
            </div>`,
        )}
      </dl>
      ${
        links.length
          ? html`<ul class="links">
              ${links.map(({ rel, href, title }) => html`<li>${linkView(href, title ?? rel ?? href)}</li>`)}
            </ul>`
          : nothing
      }
    `;
  }

  /** Reading Markdown makes elements; they are made once for each text. */
  #markdown(description) {
    if (typeof description !== "string") return description === undefined ? nothing : valueView(description);
    if (description !== this.#text) {
      this.#text = description;
      this.#description = markdown(description);
    }
    return this.#description;
  }
}

function factView(value, name) {
  if (isWeb(value)) return linkView(value, value);
  return valueView(value, {}, name);
}

function linkView(href, text) {
  return html`<a href=${href} target="_blank" rel="noopener noreferrer">${text}</a>`;
}

function isWeb(text) {
  return typeof text === "string" && /^https?:\/\/\S+$/i.test(text);
}

define("model-card", ModelCard, ["metadata"]);
