// Tables of rows and of CSV text.

import { csvParseRows, tsvParseRows } from "../vendor/d3-dsv/dist/d3-dsv.min.mjs";
import { html, nothing } from "./lit.js";

const MAX_ROWS = 200;

/** Return a table of the first 200 `rows`; each row is a list of cells. `label` is its accessible name. */
export function renderTable(columns, rows, label) {
  const shown = rows.slice(0, MAX_ROWS);
  const more = rows.length > shown.length;
  return html`
    <div class="scroll" role="region" aria-label=${label} tabindex="0">
      <table>
        <thead>
          <tr>
            ${columns.map((column) => html`<th scope="col">${column}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${shown.map(
            (row) =>
              html`<tr>
                ${row.map((cell) => html`<td>${cell}</td>`)}
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${more ? html`<p class="hint">First ${shown.length} of ${rows.length} rows.</p>` : nothing}
  `;
}

/** Return CSV or TSV text as a table; its first row names the columns. */
export function renderCsv(text, separator, label) {
  const [columns = [], ...rows] = (separator === "\t" ? tsvParseRows : csvParseRows)(text);
  return columns.length ? renderTable(columns, rows, label) : html`<p class="hint">The table is empty.</p>`;
}
