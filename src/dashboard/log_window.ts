import type { LogLine, LogPage } from "./log_line.ts";

/** So many lines are held, and in the page. */
export const MAX_LINES = 1_000;

/**
 * The part of a log that is looked at: lines in order, of which none between the first and the last is missing. Whoever is at the
 * end is brought what comes, and the oldest go; whoever reads further up keeps what is read, and what comes waits in the log.
 */
export class LogWindow {
  readonly #most: number;
  #lines: readonly LogLine[] = [];
  #before: number | undefined = undefined;
  #isAtEnd = true;
  /** The newest that came by itself. */
  #newest = 0;
  #waiting = 0;

  constructor(most: number = MAX_LINES) {
    this.#most = most;
  }

  get lines(): readonly LogLine[] {
    return this.#lines;
  }

  /** Where to read on from towards the beginning; undefined where that is there. */
  get before(): number | undefined {
    return this.#before;
  }

  /** Whether what comes follows the last line: none is missing in between. */
  get isAtEnd(): boolean {
    return this.#isAtEnd;
  }

  /** How many came that are not held, as far as is known. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Takes a line that has just come; `isRead`: the oldest are being read, and may not go. */
  came(line: LogLine, isRead: boolean): void {
    if (line.seq <= this.#newest) return;
    this.#newest = line.seq;
    if (this.#isAtEnd && isRead && this.#lines.length >= this.#most) this.#isAtEnd = false;
    if (!this.#isAtEnd) {
      this.#waiting++;
      return;
    }
    this.#lines = [...this.#lines, line];
    this.#dropOldest();
  }

  /** Takes the last page, up to the end or to a position of the past, in place of what was held but for what came meanwhile. */
  opened({ lines, nextBefore }: LogPage, isEnd: boolean): void {
    const last = lines.at(-1)?.seq ?? 0;
    const since = isEnd && this.#isAtEnd ? this.#lines.filter(({ seq }) => seq > last) : [];
    this.#lines = [...lines, ...since];
    this.#before = nextBefore;
    this.#isAtEnd = isEnd;
    this.#waiting = 0;
    if (isEnd) this.#newest = Math.max(this.#newest, last);
    this.#dropOldest();
  }

  /** Lets go of what is held: the end is about to be asked for. What comes from now on follows it. */
  reopen(): void {
    this.#lines = [];
    this.#before = undefined;
    this.#isAtEnd = true;
    this.#waiting = 0;
  }

  /** Takes the page that comes before what is held. */
  earlier({ lines, nextBefore }: LogPage): void {
    const first = this.#lines[0]?.seq ?? Infinity;
    const all = [...lines.filter(({ seq }) => seq < first), ...this.#lines];
    this.#before = nextBefore;
    this.#lines = all.slice(0, this.#most);
    if (all.length <= this.#most) return;
    this.#waiting += all.length - this.#most;
    this.#isAtEnd = false;
  }

  /** Takes the page that follows what is held. */
  later({ lines, nextAfter }: LogPage): void {
    const last = this.#lines.at(-1)?.seq ?? 0;
    const more = lines.filter(({ seq }) => seq > last);
    this.#lines = [...this.#lines, ...more];
    const through = Math.max(nextAfter ?? 0, this.#lines.at(-1)?.seq ?? 0);
    // What came while this was asked for may not be in it.
    this.#isAtEnd = nextAfter === undefined && through >= this.#newest;
    this.#waiting = this.#isAtEnd ? 0 : Math.max(this.#waiting - more.length, 0);
    if (this.#isAtEnd) this.#newest = through;
    this.#dropOldest();
  }

  #dropOldest(): void {
    if (this.#lines.length <= this.#most) return;
    this.#lines = this.#lines.slice(-this.#most);
    this.#before = this.#lines[0]?.seq;
  }
}
