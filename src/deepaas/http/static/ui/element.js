// Base class of the UI's custom elements: renders with lit-html when a property changes.

import { render } from "./lit.js";

/** A custom element without shadow DOM. Subclasses return a lit-html template from `render()`. */
export class BaseElement extends HTMLElement {
  #pending = null;

  connectedCallback() {
    this.update();
  }

  /** Render in the next animation frame, once for any number of calls. Resolves after rendering. */
  update() {
    this.#pending ??= new Promise((resolve) => {
      requestAnimationFrame(() => {
        this.#pending = null;
        if (this.isConnected) render(this.render(), this);
        resolve();
      });
    });
    return this.#pending;
  }
}

/** Register the custom element `name`. Setting one of its `properties` to another value renders it again. */
export function define(name, type, properties = []) {
  for (const property of properties) {
    const value = Symbol(property);
    Object.defineProperty(type.prototype, property, {
      get() {
        return this[value];
      },
      set(next) {
        if (next === this[value]) return;
        this[value] = next;
        this.update();
      },
    });
  }
  customElements.define(name, type);
}
