// The live log of a training, scrolled to the end.

import { BaseElement, define } from "../element.js";
import { html } from "../lit.js";

const END_TOLERANCE_PX = 8;

/** `text` contains the last lines of the log. */
class LogView extends BaseElement {
  async update() {
    const before = this.querySelector("pre");
    // Keep the position of a user who has scrolled up.
    const isAtEnd =
      !before || before.scrollTop + before.clientHeight >= before.scrollHeight - END_TOLERANCE_PX;
    await super.update();
    const log = this.querySelector("pre");
    if (log && isAtEnd) log.scrollTop = log.scrollHeight;
  }

  render() {
    if (!this.text) return html`<p class="hint">No output yet.</p>`;
    const label = "Training output";
    return html`<pre class="log" tabindex="0" role="log" aria-live="off" aria-label=${label}>
${this.text}</pre>`;
  }
}

define("log-view", LogView, ["text"]);
