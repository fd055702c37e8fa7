// Displays JSON values as bars, tables, curves, media or plain text; never as markup.

import { truncate } from "../format.js";
import { isNumber, isStructure, toJson, toNumber } from "../json.js";
import { html } from "../lit.js";
import { decodeFile } from "../media.js";
import { renderTable } from "../table.js";
import "../chart.js";
import "../media-view.js";

const MAX_DEPTH = 8;
const MAX_TEXT_LENGTH = 20_000;
const MAX_CELL_LENGTH = 200;
const MAX_ITEMS = 100;
const MIN_POINTS = 3;
const SCORES = ["probabilities", "scores", "confidences"];

/** Return a template for a value. `schema` is its published schema, if any; `name` its accessible name. */
export function renderValue(value, schema = {}, name = "response", depth = 0) {
  if (depth > MAX_DEPTH) return html`<pre>${truncate(toJson(value), MAX_TEXT_LENGTH)}</pre>`;
  if (typeof value === "string") return renderText(value, schema, name);
  if (Array.isArray(value)) return renderList(value, schema.items, name, depth);
  if (isStructure(value)) return renderObject(value, schema, name, depth);
  return html`<span class="value">${value === null ? "none" : String(value)}</span>`;
}

function renderText(text, schema, name) {
  const file = decodeFile(text, schema.description);
  if (file) return html`<media-view .blob=${file} .label=${schema.description || name}></media-view>`;
  return html`<span class="value text">${truncate(text, MAX_TEXT_LENGTH)}</span>`;
}

function renderObject(value, schema, name, depth) {
  const scores = SCORES.find((each) => hasScores(value.labels, value[each]));
  const rest = Object.entries(value).filter(([key]) => !scores || (key !== "labels" && key !== scores));
  return html`
    ${scores ? renderBars(value.labels, value[scores]) : ""}
    ${
      rest.length
        ? html`<dl>
            ${rest.map(
              ([key, each]) =>
                html`<div>
                  <dt title=${schema.properties?.[key]?.description ?? ""}>${key}</dt>
                  <dd>${renderValue(each, schema.properties?.[key], `${name}, ${key}`, depth + 1)}</dd>
                </div>`,
            )}
          </dl>`
        : ""
    }
    ${Object.keys(value).length ? "" : html`<span class="hint">Empty object.</span>`}
  `;
}

function hasScores(labels, scores) {
  return (
    [labels, scores].every(Array.isArray) &&
    labels.length === scores.length &&
    labels.length > 0 &&
    scores.every(isNumber)
  );
}

/** Return a bar for each label. Probabilities are shown as percentages, with the exact value as tooltip. */
function renderBars(labels, scores) {
  const lengths = scores.map(toNumber);
  const isShare = lengths.every((length) => length >= 0 && length <= 1);
  const largest = isShare ? 1 : Math.max(...lengths.map(Math.abs));
  const bars = labels.slice(0, MAX_ITEMS).map((label, index) => {
    const width = `${(Math.abs(lengths[index]) / (largest || 1)) * 100}%`;
    return html`<li>
      <span class="label">${isStructure(label) ? toJson(label) : String(label)}</span>
      <span class="bar" aria-hidden="true"><i .style=${`width: ${width}`}></i></span>
      <span class="score">${isShare ? renderPercentage(scores[index]) : String(scores[index])}</span>
    </li>`;
  });
  return html`<ol class="bars">
    ${bars}
  </ol>`;
}

/** Repeat the exact value as hidden text, because not every screen reader reads a title. */
function renderPercentage(score) {
  return html`<span title=${String(score)}>${formatPercent(toNumber(score))}</span>
    <span class="visually-hidden">(${String(score)})</span>`;
}

function formatPercent(share) {
  const shown = share * 100;
  return shown > 0 && shown < 0.01 ? "< 0.01 %" : `${shown.toFixed(shown < 1 ? 2 : 1)} %`;
}

function renderList(list, schema, name, depth) {
  if (!list.length) return html`<span class="hint">Empty list.</span>`;
  if (list.length >= MIN_POINTS && list.every(isNumber)) return renderCurve(list, name);
  if (
    list.every((item) => !isStructure(item)) &&
    !list.some((item) => typeof item === "string" && decodeFile(item))
  ) {
    return renderScalars(list);
  }
  if (list.every((item) => isStructure(item) && !Array.isArray(item))) return renderObjects(list, name);
  if (list.every(isRow)) {
    return renderTable(
      list[0].map((_, index) => index + 1),
      list.map((row) => row.map(formatCell)),
      name,
    );
  }
  return html`<ol class="items">
    ${list.slice(0, MAX_ITEMS).map((item, index) => {
      const view = renderValue(item, schema, `${name}, item ${index + 1}`, depth + 1);
      return html`<li>${view}</li>`;
    })}
  </ol>`;
}

function renderScalars(list) {
  const shown = list.slice(0, MAX_ITEMS).map(formatCell).join(", ");
  return html`<span class="value text"
    >${shown}${list.length > MAX_ITEMS ? ` … (${list.length} items)` : ""}</span
  >`;
}

function renderCurve(list, name) {
  const curve = { label: name, x: list.map((_, index) => index + 1), y: list };
  return html`
    <line-chart .curves=${[curve]} .xLabel=${"position"}></line-chart>
    <details>
      <summary>${list.length} numbers</summary>
      ${renderScalars(list)}
    </details>
  `;
}

function renderObjects(list, name) {
  const columns = [...new Set(list.flatMap(Object.keys))];
  return renderTable(
    columns,
    list.map((item) => columns.map((column) => formatCell(item[column]))),
    name,
  );
}

function formatCell(value) {
  if (value === undefined || value === null) return "";
  if (isStructure(value)) return renderJson(toJson(value));
  return isNumber(value) ? String(value) : truncate(String(value), MAX_CELL_LENGTH);
}

function renderJson(text) {
  if (text.length <= MAX_CELL_LENGTH) return text;
  return html`<span title=${truncate(text, MAX_TEXT_LENGTH)}>${truncate(text, MAX_CELL_LENGTH)}</span>`;
}

function isRow(item) {
  return Array.isArray(item) && item.length > 0 && item.every((each) => !isStructure(each));
}
