import { Peak } from "./peak.ts";

/** How often it is looked, ms: rarely enough to cost nothing, and no turn of a second escapes. */
const EVERY_MS = 250;

/** By how much the event loop is late: whatever takes long in one turn keeps every connection waiting for so long. */
export class LoopLateness implements Disposable {
  /** The most that a timer was late lately, ms. */
  readonly peak: Peak = new Peak(() => performance.now());
  #timer: ReturnType<typeof setTimeout>;

  constructor() {
    this.#timer = this.#look();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #look(): ReturnType<typeof setTimeout> {
    const dueMs = performance.now() + EVERY_MS;
    return setTimeout(() => {
      this.peak.note(performance.now() - dueMs);
      this.#timer = this.#look();
    }, EVERY_MS);
  }
}
