// What a training prints, growing at its end.

import { html } from "../library.js";
import { define, View } from "../view.js";

const NEAR_PX = 8;

/** `text` are the last lines. */
class LogView extends View {
  async update() {
    const before = this.querySelector("pre");
    // Whoever has scrolled up to read is left there.
    const isAtEnd = !before || before.scrollTop + before.clientHeight >= before.scrollHeight - NEAR_PX;
    await super.update();
    const log = this.querySelector("pre");
    if (log && isAtEnd) log.scrollTop = log.scrollHeight;
  }

  view() {
    if (!this.text) return html`<p class="hint">It has printed nothing yet.</p>`;
    const label = "What the training prints";
    return html`<pre class="log" tabindex="0" role="log" aria-live="off" aria-label=${label}>
${this.text}</pre>`;
  }
}

define("log-view", LogView, ["text"]);
