import type { Clock } from "../worker/clock.ts";
import { cleaned, progressIn, type SaidProgress } from "./output_progress.ts";

/** The part of a line that is looked at, and kept of one that has not ended: its last characters, so many. */
const MAX_LINE = 4_096;
/** Of the lines that come at once, the last so many are looked at that may say something: a flood has far more. */
const MAX_LOOKED_AT = 100;
const MAY_SAY = /\d\s?[/%]/;
/** How often a line that has not ended is looked at, ms. */
const LOOK_MS = 100;
/** A number at the end, of which there may be more to come. */
const GROWING = /(?:\d[\d.]{0,30}\s?\/\s?)?[\d.]{0,30}$/;

/**
 * A program's output, listened to for how far the program is: the newest counts. A carriage return ends a line as well,
 * for that is how programs draw over one; and a line that stays without an end is looked at as it grows.
 */
export class HeardOutput {
  readonly #clock: Clock;
  readonly #tell: (said: SaidProgress) => void;
  readonly #decoder = new TextDecoder();
  /** What has not been understood yet of the line that has not ended. */
  #rest = "";
  /** What that line said last. */
  #said: SaidProgress | undefined;
  /** What the rest was when it was looked at. */
  #seen = "";
  #stopTimer: (() => void) | undefined;

  constructor(clock: Clock, tell: (said: SaidProgress) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** Takes in what came. */
  take(bytes: Uint8Array): void {
    const text = this.#rest + this.#decoder.decode(bytes, { stream: true });
    const restAt = Math.max(text.lastIndexOf("\n"), text.lastIndexOf("\r")) + 1;
    if (restAt > 0) {
      this.#tellOf(text.slice(0, restAt));
      [this.#seen, this.#said] = ["", undefined];
    }
    this.#rest = bounded(text.slice(restAt));
    if (this.#rest !== "") this.#stopTimer ??= this.#clock.after(LOOK_MS, () => this.#look());
  }

  /** No more comes: what is left is a line too. */
  end(): void {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    this.#tellLast([this.#rest], this.#said);
    this.#rest = "";
  }

  /** Tells of what is said last in lines that have ended, of which the first goes on where we were. */
  #tellOf(text: string): void {
    // Most output says nothing, and may be a flood.
    if (!MAY_SAY.test(text)) return;
    const [first = "", ...others] = text.split(/[\r\n]+/);
    if (!this.#tellLast(others)) this.#tellLast([first], this.#said);
  }

  /** Tells of the last of these lines that says something; whether one did. */
  #tellLast(lines: readonly string[], before?: SaidProgress): boolean {
    let looks = 0;
    for (let i = lines.length - 1; i >= 0 && looks < MAX_LOOKED_AT; i--) {
      const line = lines[i] ?? "";
      if (!MAY_SAY.test(line)) continue;
      looks++;
      const found = progressIn(cleaned(bounded(line)).clean, before);
      if (found === undefined) continue;
      if (!isSame(found.said, before)) this.#tell(found.said);
      return true;
    }
    return false;
  }

  #look(): void {
    this.#stopTimer = undefined;
    const { clean, unfinished } = cleaned(this.#rest);
    // What stands for a while is whole.
    const isStill = this.#rest === this.#seen;
    const found = progressIn(isStill ? clean : clean.replace(GROWING, ""), this.#said);
    if (found !== undefined) {
      this.#said = found.said;
      this.#tell(found.said);
    }
    // A number at the very end may go on all the same: then it is understood again.
    const isOver = found !== undefined && (found.end < clean.length || "percentage" in found.said);
    this.#rest = `${isOver ? clean.slice(found.end) : clean}${unfinished}`;
    this.#seen = this.#rest;
    if (!isStill) this.#stopTimer = this.#clock.after(LOOK_MS, () => this.#look());
  }
}

function isSame(said: SaidProgress, before: SaidProgress | undefined): boolean {
  return JSON.stringify(said) === JSON.stringify(before);
}

/** The end of a text that is too long, without the rest of a number that it may begin with. */
function bounded(text: string): string {
  return text.length <= MAX_LINE ? text : text.slice(-MAX_LINE).replace(/^[\d./]+\s?%?/, "");
}
