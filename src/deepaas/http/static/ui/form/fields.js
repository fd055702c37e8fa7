// The input for each kind of argument. A field is `{argument, value, id, describedBy, isInvalid, set}`; an input
// calls `set` with a new value.

import { html, live, nothing } from "../lit.js";
import { getStep, hasSlider, numberToPosition, POSITIONS, positionToNumber } from "./slider.js";
import { isNumberList } from "./values.js";
import "./file-field.js";

const TYPES = {
  date: "date",
  datetime: "datetime-local",
  email: "email",
  url: "url",
  time: "time",
  password: "password",
};

/** Return the input of a field. */
export function renderInput(field) {
  switch (field.argument.kind) {
    case "file":
      return renderFile(field);
    case "boolean":
      return field.argument.default === null ? renderOptionalBoolean(field) : renderCheckbox(field);
    case "choice":
      return renderSelect(field);
    case "choices":
      return renderCheckboxes(field);
    case "number":
      return renderNumber(field);
    case "text":
      return renderTextarea(field, 1);
    case "list":
    case "json":
      return renderTextarea(field, 3);
    default:
      return renderText(field);
  }
}

/** Check whether a field is a group of inputs, which needs a legend instead of a label. */
export function isGroup({ kind, default: preset }) {
  return kind === "choices" || (kind === "boolean" && preset === null);
}

/** Return a hint about an argument's format or range, or an empty string. */
export function getFormatHint(argument) {
  const { kind, minimum, maximum } = argument;
  if (kind === "list")
    return isNumberList(argument) ? "Numbers separated by commas or spaces." : "One per line.";
  if (kind === "json") return "In JSON format.";
  if (kind !== "number") return "";
  if (minimum !== undefined && maximum !== undefined) return `${minimum} to ${maximum}.`;
  if (minimum !== undefined) return `At least ${minimum}.`;
  return maximum === undefined ? "" : `At most ${maximum}.`;
}

function renderFile({ argument, value, id, describedBy, isInvalid, set }) {
  return html`<file-field
    .inputId=${id}
    .argument=${argument}
    .files=${value}
    .describedBy=${describedBy}
    .isInvalid=${isInvalid}
    @files=${(event) => set(event.detail)}
  ></file-field>`;
}

function renderText({ argument, value, id, describedBy, isInvalid, set }) {
  return html`<input
    id=${id}
    type=${TYPES[argument.kind]}
    step=${["datetime", "time"].includes(argument.kind) ? "1" : nothing}
    autocomplete="off"
    aria-describedby=${describedBy}
    aria-invalid=${isInvalid}
    aria-required=${argument.required}
    .value=${live(value)}
    @input=${(event) => set(event.target.value)}
  />`;
}

function renderTextarea({ argument, value, id, describedBy, isInvalid, set }, rows) {
  return html`<textarea
    id=${id}
    rows=${rows}
    spellcheck="false"
    aria-describedby=${describedBy}
    aria-invalid=${isInvalid}
    aria-required=${argument.required}
    .value=${live(value)}
    @input=${(event) => set(event.target.value)}
  ></textarea>`;
}

function renderNumber({ argument, value, id, describedBy, isInvalid, set }) {
  const box = html`<input
    id=${id}
    type="text"
    inputmode=${argument.isInteger ? "numeric" : "decimal"}
    autocomplete="off"
    class="number"
    aria-describedby=${describedBy}
    aria-invalid=${isInvalid}
    aria-required=${argument.required}
    placeholder=${argument.default === null ? "" : String(argument.default)}
    .value=${live(value)}
    @input=${(event) => set(event.target.value)}
  />`;
  if (!hasSlider(argument)) return box;
  return html`<div class="slider">
    <input
      type="range"
      min="0"
      max=${POSITIONS}
      step=${getStep(argument)}
      aria-label=${`${argument.name}, slider`}
      aria-valuetext=${value === "" ? "not set" : value}
      class=${value === "" ? "unset" : ""}
      .value=${live(String(numberToPosition(argument, value)))}
      @input=${(event) => set(String(positionToNumber(argument, Number(event.target.value))))}
    />
    ${box}
  </div>`;
}

function renderCheckbox({ value, id, describedBy, isInvalid, set }) {
  return html`<input
    id=${id}
    type="checkbox"
    role="switch"
    aria-describedby=${describedBy}
    aria-invalid=${isInvalid}
    .checked=${live(value)}
    @change=${(event) => set(event.target.checked)}
  />`;
}

/** Return radio buttons for a boolean without a default. */
function renderOptionalBoolean({ value, id, set }) {
  const options = [
    ["", "Not set"],
    [true, "Yes"],
    [false, "No"],
  ];
  return renderRadios(id, options, value, set);
}

function renderSelect(field) {
  const { argument, value, id, describedBy, isInvalid, set } = field;
  const isOptional = argument.default === null && !argument.required;
  const empty = html`<option value="" .selected=${live(value === "")}>
    ${isOptional ? "Not set" : "Select …"}
  </option>`;
  return html`<select
    id=${id}
    aria-describedby=${describedBy}
    aria-invalid=${isInvalid}
    aria-required=${argument.required}
    @change=${(event) => set(event.target.value)}
  >
    ${isOptional || value === "" ? empty : nothing}
    ${argument.choices.map(String).map((each) => {
      return html`<option value=${each} .selected=${live(each === value)}>${each}</option>`;
    })}
  </select>`;
}

function renderCheckboxes({ argument, value, id, set }) {
  const change = (each, isChosen) =>
    set(argument.choices.map(String).filter((other) => (other === each ? isChosen : value.includes(other))));
  return html`<div class="options">
    ${argument.choices.map(String).map(
      (each, index) =>
        html`<label class="option">
          <input
            id=${`${id}-${index}`}
            type="checkbox"
            .checked=${live(value.includes(each))}
            @change=${(event) => change(each, event.target.checked)}
          />
          ${each}
        </label>`,
    )}
  </div>`;
}

function renderRadios(id, options, value, set) {
  return html`<div class="options">
    ${options.map(
      ([each, text], index) =>
        html`<label class="option">
          <input
            id=${`${id}-${index}`}
            type="radio"
            name=${id}
            .checked=${live(each === value)}
            @change=${() => set(each)}
          />
          ${text}
        </label>`,
    )}
  </div>`;
}
