// What every part of the page is: an element that draws itself anew when something about it has changed.

import { render } from "./library.js";

/** An element whose content is what its method `view()` returns. */
export class View extends HTMLElement {
  #drawing = null;

  connectedCallback() {
    this.update();
  }

  /** Draw with the next frame; the promise is kept when that is done. */
  update() {
    this.#drawing ??= new Promise((done) => {
      requestAnimationFrame(() => {
        this.#drawing = null;
        if (this.isConnected) render(this.view(), this);
        done();
      });
    });
    return this.#drawing;
  }
}

/** Make `type` the element called `name`; setting one of its `properties` draws it anew. */
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
