// Looking at something again and again, as long as somebody sees it.

/** Calls `look` now and then every `pauseMs`, one at a time, while the browser's tab is in front. */
export class Poll {
  #look;
  #pauseMs;
  #timer = 0;
  #isOn = false;
  #isLooking = false;

  constructor(look, pauseMs) {
    this.#look = look;
    this.#pauseMs = pauseMs;
  }

  /** Begin, or stop, as `isOn` says. */
  set(isOn) {
    if (isOn === this.#isOn) return;
    this.#isOn = isOn;
    clearTimeout(this.#timer);
    if (isOn && !this.#isLooking) this.#round();
  }

  /** Look now, if it is on, rather than after the pause. */
  hurry() {
    if (!this.#isOn || this.#isLooking) return;
    clearTimeout(this.#timer);
    this.#round();
  }

  async #round() {
    this.#isLooking = true;
    if (!document.hidden) await this.#look();
    this.#isLooking = false;
    if (this.#isOn) this.#timer = setTimeout(() => this.#round(), this.#pauseMs);
  }
}
