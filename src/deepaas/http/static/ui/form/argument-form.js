// The form for a call: a field and validation messages for each argument.

import { BaseElement, define } from "../element.js";
import { isNumber } from "../json.js";
import { html, nothing, repeat } from "../lit.js";
import { getFormatHint, isGroup, renderInput } from "./fields.js";
import { buildInitialValues, parseInputs } from "./values.js";

/**
 * `operation` comes from `parseOperations`, `prefix` starts the ids of the inputs, `problems` maps argument names
 * to messages as in a 422 response, `buttons` is a template at the end. Submitting dispatches `sent` with the
 * inputs in its detail; any change dispatches `changed`.
 */
class ArgumentForm extends BaseElement {
  #operation = null;
  #values = {};
  #parseProblems = {};
  #controller = new AbortController();

  connectedCallback() {
    super.connectedCallback();
    this.#controller = new AbortController();
    document.addEventListener("paste", (event) => this.#paste(event), { signal: this.#controller.signal });
  }

  disconnectedCallback() {
    this.#controller.abort();
  }

  /** The arguments that are filled in: a list of `{argument, value}`. */
  get inputs() {
    this.#syncOperation();
    return parseInputs(this.operation, this.#values).inputs;
  }

  /** The values of the fields by argument name. Setting them updates the form. */
  get values() {
    return { ...this.#values };
  }

  set values(values) {
    this.#syncOperation();
    this.#values = { ...this.#values, ...values };
    this.update();
  }

  /** Reset every field to its default. */
  reset() {
    this.#values = buildInitialValues(this.operation);
    this.#notifyChange();
  }

  /** Focus the first field with a message. */
  async focusProblem() {
    await this.update();
    this.querySelector("[aria-invalid=true], fieldset.invalid input")?.focus();
  }

  #syncOperation() {
    if (this.#operation === this.operation) return;
    const isFirst = this.#operation === null;
    this.#operation = this.operation;
    this.#values = { ...buildInitialValues(this.operation), ...(isFirst ? {} : this.#selectKept()) };
  }

  /** Return the values to keep after a model reload: a value is kept if its argument still has the same kind. */
  #selectKept() {
    return Object.fromEntries(
      this.operation.arguments
        .filter(({ name }) => name in this.#values)
        .filter(
          ({ kind, name }) => (kind === "file" || kind === "choices") === Array.isArray(this.#values[name]),
        )
        .map(({ name }) => [name, this.#values[name]]),
    );
  }

  #set(name, value) {
    this.#values[name] = value;
    delete this.#parseProblems[name];
    this.#notifyChange();
  }

  #notifyChange() {
    this.update();
    this.dispatchEvent(new CustomEvent("changed"));
  }

  #submit(event) {
    event.preventDefault();
    const { inputs, problems } = parseInputs(this.operation, this.#values);
    this.#parseProblems = problems;
    if (Object.keys(problems).length) this.focusProblem();
    else this.dispatchEvent(new CustomEvent("sent", { detail: inputs }));
  }

  #paste(event) {
    const files = event.clipboardData?.files ?? [];
    const closest = event.target.closest?.("file-field");
    const field = closest && this.contains(closest) ? closest : this.querySelector("file-field");
    if (!files.length || !field || !this.checkVisibility()) return;
    event.preventDefault();
    field.addFiles(files);
  }

  #handleKey(event) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.querySelector("form").requestSubmit();
  }

  render() {
    this.#syncOperation();
    const messages = { ...this.problems, ...this.#parseProblems };
    return html`
      <form
        novalidate
        @submit=${(event) => this.#submit(event)}
        @keydown=${(event) => this.#handleKey(event)}
      >
        ${repeat(
          this.operation.arguments,
          ({ name }) => name,
          (argument, index) =>
            this.#renderField(argument, `${this.prefix}-${index}`, messages[argument.name]),
        )}
        ${this.#renderOtherProblems(messages)} ${this.buttons ?? nothing}
      </form>
    `;
  }

  #renderField(argument, id, problem) {
    const help = [argument.description, getFormatHint(argument)].filter(Boolean).join(" ");
    const texts = listMessages(problem);
    const field = {
      argument,
      id,
      value: this.#values[argument.name],
      describedBy: `${id}-help ${id}-problem`,
      isInvalid: texts.length > 0,
      set: (value) => this.#set(argument.name, value),
    };
    const label = renderLabel(argument);
    const below = html`
      <p class="hint" id=${`${id}-help`}>${help}</p>
      <p class="problem" id=${`${id}-problem`}>${texts.join(" ")}</p>
    `;
    const classes = `field ${argument.kind} ${field.isInvalid ? "invalid" : ""}`;
    if (isGroup(argument)) {
      return html`<fieldset class=${classes} aria-describedby=${field.describedBy}>
        <legend>${label}</legend>
        ${renderInput(field)} ${below}
      </fieldset>`;
    }
    return html`<div class=${classes}><label for=${id}>${label}</label> ${renderInput(field)} ${below}</div>`;
  }

  /** Render messages for names that are not arguments of the form. */
  #renderOtherProblems(messages) {
    const names = this.operation.arguments.map(({ name }) => name);
    const rest = Object.entries(messages).filter(([name]) => !names.includes(name));
    return rest.map(
      ([name, problem]) =>
        html`<p class="problem" role="alert">${name}: ${listMessages(problem).join(" ")}</p>`,
    );
  }
}

function renderLabel({ name, kind, required }) {
  if (name === "accept" && kind === "choice") return html`Response type <span class="required">accept</span>`;
  return html`${name}${required ? html`<span class="required"> required</span>` : nothing}`;
}

/** Return the messages of a problem as a list. Messages of items and nested fields start with their name. */
function listMessages(problem) {
  if (!problem) return [];
  if (typeof problem === "string" || isNumber(problem)) return [String(problem)];
  if (Array.isArray(problem)) return problem.flatMap(listMessages);
  return Object.entries(problem).flatMap(([item, inner]) => {
    const label = /^\d+$/.test(item) ? `item ${Number(item) + 1}` : item;
    return listMessages(inner).map((text) => `${label}: ${text}`);
  });
}

define("argument-form", ArgumentForm, ["operation", "prefix", "problems", "buttons"]);
