const HIDE_CURSOR = "\x1b[?25l";
const SHOW_CURSOR = "\x1b[?25h";
/** To the left edge, and nothing below. */
const CLEAR_BELOW = "\r\x1b[J";

/** Lines at the end of a terminal that are drawn again and again; what is over scrolls away above them. */
export class Screen implements Disposable {
  readonly #write: (text: string) => void;
  #drawn: readonly string[] | undefined;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  /** Writes `over` for good, and `lines` below it in place of what was drawn last. */
  draw(lines: readonly string[], over: readonly string[] = []): void {
    if (over.length === 0 && same(lines, this.#drawn)) return;
    const start = this.#drawn === undefined ? HIDE_CURSOR : up(this.#drawn.length);
    this.#write(`${start}${CLEAR_BELOW}${[...over, ...lines].map((line) => `${line}\n`).join("")}`);
    this.#drawn = lines;
  }

  /** Gives the cursor back, below what was drawn last, which stays. It may be called twice. */
  [Symbol.dispose](): void {
    if (this.#drawn !== undefined) this.#write(SHOW_CURSOR);
    this.#drawn = undefined;
  }
}

function up(rows: number): string {
  return rows === 0 ? "" : `\x1b[${rows}A`;
}

function same(lines: readonly string[], others: readonly string[] | undefined): boolean {
  return lines.length === others?.length && lines.every((line, i) => line === others[i]);
}
