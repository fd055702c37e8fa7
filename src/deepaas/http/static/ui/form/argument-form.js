// The form of a call: a field for each argument, with the messages of what was not right with it.

import { isNumber } from "../json.js";
import { html, nothing, repeat } from "../library.js";
import { define, View } from "../view.js";
import { howToWrite, inputOf, isGroup } from "./fields.js";
import { filledIn, initialValues } from "./values.js";

/**
 * `call` is one of a contract, `prefix` begins the inputs' ids, `problems` maps names to messages as the API
 * has them, `buttons` stand at the end. Sending tells `sent` with what was given in its detail; any change
 * tells `changed`.
 */
class ArgumentForm extends View {
  #of = null;
  #values = {};
  #unsendable = {};
  #ended = new AbortController();

  connectedCallback() {
    super.connectedCallback();
    this.#ended = new AbortController();
    document.addEventListener("paste", (event) => this.#paste(event), { signal: this.#ended.signal });
  }

  disconnectedCallback() {
    this.#ended.abort();
  }

  /** Return what is filled in now. */
  get given() {
    this.#begin();
    return filledIn(this.call, this.#values).given;
  }

  /** The values as they stand in the fields; setting them fills the form in. */
  get values() {
    return { ...this.#values };
  }

  set values(values) {
    this.#begin();
    this.#values = { ...this.#values, ...values };
    this.update();
  }

  /** Put every field back to its default. */
  clear() {
    this.#values = initialValues(this.call);
    this.#changed();
  }

  /** Lead the reader to the first field that is not right. */
  async showProblems() {
    await this.update();
    this.querySelector("[aria-invalid=true], fieldset.wrong input")?.focus();
  }

  #begin() {
    if (this.#of === this.call) return;
    const isFirst = this.#of === null;
    this.#of = this.call;
    this.#values = isFirst ? initialValues(this.call) : { ...initialValues(this.call), ...this.#kept() };
  }

  /** After a reload of the model, what was filled in stays where the argument is still of the same kind. */
  #kept() {
    return Object.fromEntries(
      this.call.arguments
        .filter(({ name }) => name in this.#values)
        .filter(
          ({ kind, name }) => (kind === "file" || kind === "choices") === Array.isArray(this.#values[name]),
        )
        .map(({ name }) => [name, this.#values[name]]),
    );
  }

  #set(name, value) {
    this.#values[name] = value;
    delete this.#unsendable[name];
    this.#changed();
  }

  #changed() {
    this.update();
    this.dispatchEvent(new CustomEvent("changed"));
  }

  #send(event) {
    event.preventDefault();
    const { given, problems } = filledIn(this.call, this.#values);
    this.#unsendable = problems;
    if (Object.keys(problems).length) this.showProblems();
    else this.dispatchEvent(new CustomEvent("sent", { detail: given }));
  }

  #paste(event) {
    const files = event.clipboardData?.files ?? [];
    const near = event.target.closest?.("file-field");
    const field = near && this.contains(near) ? near : this.querySelector("file-field");
    if (!files.length || !field || !this.checkVisibility()) return;
    event.preventDefault();
    field.take(files);
  }

  #keys(event) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.querySelector("form").requestSubmit();
  }

  view() {
    this.#begin();
    const messages = { ...this.problems, ...this.#unsendable };
    return html`
      <form novalidate @submit=${(event) => this.#send(event)} @keydown=${(event) => this.#keys(event)}>
        ${repeat(
          this.call.arguments,
          ({ name }) => name,
          (argument, index) => this.#field(argument, `${this.prefix}-${index}`, messages[argument.name]),
        )}
        ${this.#elsewhere(messages)} ${this.buttons ?? nothing}
      </form>
    `;
  }

  #field(argument, id, problem) {
    const help = [argument.description, howToWrite(argument)].filter(Boolean).join(" ");
    const texts = messagesIn(problem);
    const field = {
      argument,
      id,
      value: this.#values[argument.name],
      described: `${id}-help ${id}-problem`,
      isWrong: texts.length > 0,
      set: (value) => this.#set(argument.name, value),
    };
    const name = nameOf(argument);
    const below = html`
      <p class="hint" id=${`${id}-help`}>${help}</p>
      <p class="problem" id=${`${id}-problem`}>${texts.join(" ")}</p>
    `;
    const classes = `field ${argument.kind} ${field.isWrong ? "wrong" : ""}`;
    if (isGroup(argument)) {
      return html`<fieldset class=${classes} aria-describedby=${field.described}>
        <legend>${name}</legend>
        ${inputOf(field)} ${below}
      </fieldset>`;
    }
    return html`<div class=${classes}><label for=${id}>${name}</label> ${inputOf(field)} ${below}</div>`;
  }

  /** Messages that belong to no field of the form. */
  #elsewhere(messages) {
    const names = this.call.arguments.map(({ name }) => name);
    const rest = Object.entries(messages).filter(([name]) => !names.includes(name));
    return rest.map(
      ([name, problem]) =>
        html`<p class="problem" role="alert">${name}: ${messagesIn(problem).join(" ")}</p>`,
    );
  }
}

function nameOf({ name, kind, required }) {
  if (name === "accept" && kind === "choice") return html`Answer as <span class="needed">accept</span>`;
  return html`${name}${required ? html`<span class="needed"> required</span>` : nothing}`;
}

/** Return the messages in a problem: a list of them, or a mapping from items to lists. */
function messagesIn(problem) {
  if (!problem) return [];
  if (typeof problem === "string" || isNumber(problem)) return [String(problem)];
  if (Array.isArray(problem)) return problem.flatMap(messagesIn);
  return Object.entries(problem).flatMap(([item, inner]) => {
    const where = /^\d+$/.test(item) ? `item ${Number(item) + 1}` : item;
    return messagesIn(inner).map((text) => `${where}: ${text}`);
  });
}

define("argument-form", ArgumentForm, ["call", "prefix", "problems", "buttons"]);
