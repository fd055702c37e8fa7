// The input of each kind of argument. A field is `{argument, value, id, described, isWrong, set}`: `set` takes
// what the reader made of the value.

import { html, live, nothing } from "../library.js";
import { isOfNumbers } from "./values.js";
import { hasSlider, numberAt, POSITIONS, positionOf, stepOf } from "./slider.js";
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
export function inputOf(field) {
  switch (field.argument.kind) {
    case "file":
      return fileInput(field);
    case "boolean":
      return field.argument.default === null ? maybe(field) : checkbox(field);
    case "choice":
      return choice(field);
    case "choices":
      return choices(field);
    case "number":
      return numberInput(field);
    case "text":
      return area(field, 1);
    case "list":
    case "json":
      return area(field, 3);
    default:
      return line(field);
  }
}

/** Say whether a field is a group of inputs, which a legend names rather than a label. */
export function isGroup({ kind, default: preset }) {
  return kind === "choices" || (kind === "boolean" && preset === null);
}

/** Return what to tell about how an argument is written, if anything. */
export function howToWrite(argument) {
  const { kind, minimum, maximum } = argument;
  if (kind === "list")
    return isOfNumbers(argument) ? "Numbers, separated by commas or blanks." : "One per line.";
  if (kind === "json") return "Written as JSON.";
  if (kind !== "number") return "";
  if (minimum !== undefined && maximum !== undefined) return `${minimum} to ${maximum}.`;
  if (minimum !== undefined) return `At least ${minimum}.`;
  return maximum === undefined ? "" : `At most ${maximum}.`;
}

function fileInput({ argument, value, id, described, isWrong, set }) {
  return html`<file-field
    .inputId=${id}
    .argument=${argument}
    .files=${value}
    .described=${described}
    .isWrong=${isWrong}
    @files=${(event) => set(event.detail)}
  ></file-field>`;
}

function line({ argument, value, id, described, isWrong, set }) {
  return html`<input
    id=${id}
    type=${TYPES[argument.kind]}
    step=${["datetime", "time"].includes(argument.kind) ? "1" : nothing}
    autocomplete="off"
    aria-describedby=${described}
    aria-invalid=${isWrong}
    aria-required=${argument.required}
    .value=${live(value)}
    @input=${(event) => set(event.target.value)}
  />`;
}

function area({ argument, value, id, described, isWrong, set }, rows) {
  return html`<textarea
    id=${id}
    rows=${rows}
    spellcheck="false"
    aria-describedby=${described}
    aria-invalid=${isWrong}
    aria-required=${argument.required}
    .value=${live(value)}
    @input=${(event) => set(event.target.value)}
  ></textarea>`;
}

function numberInput({ argument, value, id, described, isWrong, set }) {
  const box = html`<input
    id=${id}
    type="text"
    inputmode=${argument.isInteger ? "numeric" : "decimal"}
    autocomplete="off"
    class="number"
    aria-describedby=${described}
    aria-invalid=${isWrong}
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
      step=${stepOf(argument)}
      aria-label=${`${argument.name}, slider`}
      aria-valuetext=${value === "" ? "not set" : value}
      class=${value === "" ? "unset" : ""}
      .value=${live(String(positionOf(argument, value)))}
      @input=${(event) => set(String(numberAt(argument, Number(event.target.value))))}
    />
    ${box}
  </div>`;
}

function checkbox({ value, id, described, isWrong, set }) {
  return html`<input
    id=${id}
    type="checkbox"
    role="switch"
    aria-describedby=${described}
    aria-invalid=${isWrong}
    .checked=${live(value)}
    @change=${(event) => set(event.target.checked)}
  />`;
}

/** A yes or no that need not be given. */
function maybe({ value, id, set }) {
  const answers = [
    ["", "Not given"],
    [true, "Yes"],
    [false, "No"],
  ];
  return radios(id, answers, value, set);
}

function choice(field) {
  const { argument, value, id, described, isWrong, set } = field;
  const isOpen = argument.default === null && !argument.required;
  const none = html`<option value="" .selected=${live(value === "")}>
    ${isOpen ? "Not given" : "Choose …"}
  </option>`;
  return html`<select
    id=${id}
    aria-describedby=${described}
    aria-invalid=${isWrong}
    aria-required=${argument.required}
    @change=${(event) => set(event.target.value)}
  >
    ${isOpen || value === "" ? none : nothing}
    ${argument.choices.map(String).map((each) => {
      return html`<option value=${each} .selected=${live(each === value)}>${each}</option>`;
    })}
  </select>`;
}

function choices({ argument, value, id, set }) {
  const change = (each, isChosen) =>
    set(argument.choices.map(String).filter((one) => (one === each ? isChosen : value.includes(one))));
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

function radios(id, answers, value, set) {
  return html`<div class="options">
    ${answers.map(
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
