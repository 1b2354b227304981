import type { PinnedProcess } from "./pinned_process.ts";

const EVERY_MS = 100;

/** Watches how much memory a process holds, from when it is made. */
export class PeakMemory implements Disposable {
  readonly #timer: ReturnType<typeof setInterval>;
  /** The most that was seen, bytes. */
  bytes = 0;

  constructor(process: PinnedProcess) {
    this.#timer = setInterval(() => this.bytes = Math.max(this.bytes, process.memoryBytes()), EVERY_MS);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
