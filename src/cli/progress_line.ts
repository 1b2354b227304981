/** How often it is drawn, ms. */
const EVERY_MS = 200;

/** A line on standard error that says how far something is, where that is a terminal. Disposing it takes it away. */
export class ProgressLine implements Disposable {
  readonly #write: (text: string) => void;
  readonly #isShown: boolean;
  readonly #sinceMs = performance.now();
  #drawnMs = -Infinity;

  constructor(write: (text: string) => void, isTerminal: boolean = Deno.stderr.isTerminal()) {
    this.#write = write;
    this.#isShown = isTerminal;
  }

  /** Draws `records` and how fast they come, and what else there is to say. */
  draw(records: number, says: string): void {
    const now = performance.now();
    if (!this.#isShown || now - this.#drawnMs < EVERY_MS) return;
    this.#drawnMs = now;
    const rate = Math.round(records / Math.max(0.001, (now - this.#sinceMs) / 1_000));
    this.#write(`\r\x1b[K${records.toLocaleString("en")} records, ${rate.toLocaleString("en")}/s, ${says}`);
  }

  [Symbol.dispose](): void {
    if (this.#drawnMs !== -Infinity) this.#write("\r\x1b[K");
  }
}
