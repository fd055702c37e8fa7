// Tables: rows of cells, and CSV as such rows. Cells are text.

import { csvParseRows, tsvParseRows } from "../vendor/d3-dsv/dist/d3-dsv.min.mjs";
import { html, nothing } from "./library.js";

const MOST_ROWS = 200;

/** Return a table under `columns`; of very many rows the first ones, and how many there are. */
export function tableView(columns, rows, label) {
  const shown = rows.slice(0, MOST_ROWS);
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
    ${more ? html`<p class="hint">The first ${shown.length} of ${rows.length} rows.</p>` : nothing}
  `;
}

/** Return CSV as a table whose first row are the columns. */
export function csvView(text, separator, label) {
  const [columns = [], ...rows] = (separator === "\t" ? tsvParseRows : csvParseRows)(text);
  return columns.length ? tableView(columns, rows, label) : html`<p class="hint">The table is empty.</p>`;
}
