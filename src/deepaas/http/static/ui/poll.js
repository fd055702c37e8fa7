// Polling that pauses while the browser tab is in the background.

/** Calls `task` at once and then `pauseMs` after each completion, while active and the tab is visible. */
export class Poller {
  #task;
  #pauseMs;
  #timer = 0;
  #isActive = false;
  #isRunning = false;

  constructor(task, pauseMs) {
    this.#task = task;
    this.#pauseMs = pauseMs;
  }

  /** Start or stop polling. */
  setActive(isActive) {
    if (isActive === this.#isActive) return;
    this.#isActive = isActive;
    clearTimeout(this.#timer);
    if (isActive && !this.#isRunning) this.#run();
  }

  /** Run the task now instead of after the pause, if active. */
  runNow() {
    if (!this.#isActive || this.#isRunning) return;
    clearTimeout(this.#timer);
    this.#run();
  }

  async #run() {
    this.#isRunning = true;
    if (!document.hidden) await this.#task();
    this.#isRunning = false;
    if (this.#isActive) this.#timer = setTimeout(() => this.#run(), this.#pauseMs);
  }
}
