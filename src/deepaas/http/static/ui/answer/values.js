// JSON values as people would rather see them: bars, tables, curves, pictures, or plain text. Never as markup.

import { shortened } from "../format.js";
import { isNumber, isStructure, toJson, toNumber } from "../json.js";
import { html } from "../library.js";
import { fileInText } from "../media.js";
import { tableView } from "../table.js";
import "../chart.js";
import "../media-view.js";

const DEEPEST = 8;
const LONGEST_TEXT = 20_000;
const LONGEST_CELL = 200;
const MOST_ITEMS = 100;
const FEWEST_POINTS = 3;
const SCORES = ["probabilities", "scores", "confidences"];

/** Return the view of a value; `schema` is what the model published of it, if it did. */
export function valueView(value, schema = {}, name = "the answer", depth = 0) {
  if (depth > DEEPEST) return html`<pre>${shortened(toJson(value), LONGEST_TEXT)}</pre>`;
  if (typeof value === "string") return textView(value, schema, name);
  if (Array.isArray(value)) return listView(value, schema.items, name, depth);
  if (isStructure(value)) return objectView(value, schema, name, depth);
  return html`<span class="value">${value === null ? "none" : String(value)}</span>`;
}

function textView(text, schema, name) {
  const file = fileInText(text, schema.description);
  if (file) return html`<media-view .blob=${file} .label=${schema.description || name}></media-view>`;
  return html`<span class="value text">${shortened(text, LONGEST_TEXT)}</span>`;
}

function objectView(value, schema, name, depth) {
  const scores = SCORES.find((each) => isScored(value.labels, value[each]));
  const rest = Object.entries(value).filter(([key]) => !scores || (key !== "labels" && key !== scores));
  return html`
    ${scores ? barsView(value.labels, value[scores]) : ""}
    ${
      rest.length
        ? html`<dl>
            ${rest.map(
              ([key, each]) =>
                html`<div>
                  <dt title=${schema.properties?.[key]?.description ?? ""}>${key}</dt>
                  <dd>${valueView(each, schema.properties?.[key], `${name}, ${key}`, depth + 1)}</dd>
                </div>`,
            )}
          </dl>`
        : ""
    }
    ${Object.keys(value).length ? "" : html`<span class="hint">Nothing in it.</span>`}
  `;
}

function isScored(labels, scores) {
  return (
    [labels, scores].every(Array.isArray) &&
    labels.length === scores.length &&
    labels.length > 0 &&
    scores.every(isNumber)
  );
}

/** Return labels with a bar each; a probability is shown as a share of one, with its full value at hand. */
function barsView(labels, scores) {
  const lengths = scores.map(toNumber);
  const isShare = lengths.every((length) => length >= 0 && length <= 1);
  const largest = isShare ? 1 : Math.max(...lengths.map(Math.abs));
  const bars = labels.slice(0, MOST_ITEMS).map((label, index) => {
    const width = `${(Math.abs(lengths[index]) / (largest || 1)) * 100}%`;
    return html`<li>
      <span class="label">${isStructure(label) ? toJson(label) : String(label)}</span>
      <span class="bar" aria-hidden="true"><i .style=${`width: ${width}`}></i></span>
      <span class="score">${isShare ? shareView(scores[index]) : String(scores[index])}</span>
    </li>`;
  });
  return html`<ol class="bars">
    ${bars}
  </ol>`;
}

/** A title is not read by every screen reader, hence the text beside it. */
function shareView(score) {
  return html`<span title=${String(score)}>${percent(toNumber(score))}</span>
    <span class="unseen">(${String(score)})</span>`;
}

function percent(share) {
  const shown = share * 100;
  return shown > 0 && shown < 0.01 ? "< 0.01 %" : `${shown.toFixed(shown < 1 ? 2 : 1)} %`;
}

function listView(list, schema, name, depth) {
  if (!list.length) return html`<span class="hint">An empty list.</span>`;
  if (list.length >= FEWEST_POINTS && list.every(isNumber)) return curveView(list, name);
  if (
    list.every((item) => !isStructure(item)) &&
    !list.some((item) => typeof item === "string" && fileInText(item))
  ) {
    return scalarsView(list);
  }
  if (list.every((item) => isStructure(item) && !Array.isArray(item))) return objectsView(list, name);
  if (list.every(isRow)) {
    return tableView(
      list[0].map((_, index) => index + 1),
      list.map((row) => row.map(cell)),
      name,
    );
  }
  return html`<ol class="items">
    ${list.slice(0, MOST_ITEMS).map((item, index) => {
      const view = valueView(item, schema, `${name}, item ${index + 1}`, depth + 1);
      return html`<li>${view}</li>`;
    })}
  </ol>`;
}

function scalarsView(list) {
  const shown = list.slice(0, MOST_ITEMS).map(cell).join(", ");
  return html`<span class="value text"
    >${shown}${list.length > MOST_ITEMS ? ` … (${list.length} items)` : ""}</span
  >`;
}

function curveView(list, name) {
  const curve = { label: name, x: list.map((_, index) => index + 1), y: list };
  return html`
    <line-chart .curves=${[curve]} .across=${"position"}></line-chart>
    <details>
      <summary>${list.length} numbers</summary>
      ${scalarsView(list)}
    </details>
  `;
}

function objectsView(list, name) {
  const columns = [...new Set(list.flatMap(Object.keys))];
  return tableView(
    columns,
    list.map((item) => columns.map((column) => cell(item[column]))),
    name,
  );
}

function cell(value) {
  if (value === undefined || value === null) return "";
  if (isStructure(value)) return jsonView(toJson(value));
  return isNumber(value) ? String(value) : shortened(String(value), LONGEST_CELL);
}

function jsonView(text) {
  if (text.length <= LONGEST_CELL) return text;
  return html`<span title=${shortened(text, LONGEST_TEXT)}>${shortened(text, LONGEST_CELL)}</span>`;
}

function isRow(item) {
  return Array.isArray(item) && item.length > 0 && item.every((each) => !isStructure(each));
}
