/** A piece of what a terminal was told, and when, ms. */
export type Told = { readonly atMs: number; readonly text: string };

/** A character in its place; `colour` is the number of an SGR sequence, 0 where there was none. */
export type Cell = { readonly character: string; readonly colour: number };

/** What is to be seen from `atMs` on: rows from the top, as long as they are written. */
export type Seen = { readonly atMs: number; readonly rows: readonly (readonly Cell[])[] };

/** How large the terminal is. */
export type TerminalSize = { readonly columns: number; readonly rows: number };

// deno-lint-ignore no-control-regex -- the sequences of a terminal begin so
const PART = /\x1b\[([?\d;]*)([A-Za-z])|\x1b[^[]|[^\x1b]/gu;
// deno-lint-ignore no-control-regex -- a sequence whose end is still to come
const UNFINISHED = /\x1b(?:\[[?\d;]*)?$/;

/**
 * What is to be seen after each piece. It knows what `src/cli/screen.ts` writes, and colours; throws at any other
 * sequence, which it would show wrongly. Pure.
 */
export function seenOf(told: readonly Told[], size: TerminalSize): readonly Seen[] {
  const terminal = new Terminal(size);
  let rest = "";
  return told.map(({ atMs, text }) => {
    const whole = rest + text;
    rest = UNFINISHED.exec(whole)?.[0] ?? "";
    terminal.take(whole.slice(0, whole.length - rest.length));
    return { atMs, rows: terminal.rows };
  });
}

/** One of `seen` for each `stepMs`, the last of it; silences longer than `longestMs` are cut to that. Pure. */
export function paced(seen: readonly Seen[], stepMs: number, longestMs: number): readonly Seen[] {
  const kept = seen.filter(({ atMs }, i) => {
    const next = seen[i + 1];
    return next === undefined || Math.floor(next.atMs / stepMs) > Math.floor(atMs / stepMs);
  });
  let [cutMs, beforeMs] = [kept[0]?.atMs ?? 0, kept[0]?.atMs ?? 0];
  return kept.map(({ atMs, rows }) => {
    cutMs += Math.max(0, atMs - beforeMs - longestMs);
    beforeMs = atMs;
    return { atMs: atMs - cutMs, rows };
  });
}

class Terminal {
  readonly #size: TerminalSize;
  readonly #rows: Cell[][] = [[]];
  #row = 0;
  #column = 0;
  #colour = 0;

  constructor(size: TerminalSize) {
    this.#size = size;
  }

  get rows(): readonly (readonly Cell[])[] {
    return this.#rows.map((row) => [...row]);
  }

  take(text: string): void {
    for (const [part, parameters, letter] of text.matchAll(PART)) {
      if (letter !== undefined) this.#steer(part, parameters ?? "", letter);
      else if (part === "\r") this.#column = 0;
      else if (part === "\n") this.#down();
      else this.#put(part);
    }
  }

  #steer(part: string, parameters: string, letter: string): void {
    if (letter === "A") this.#row = Math.max(0, this.#row - Number(parameters || 1));
    else if (letter === "m") this.#colour = parameters === "39" ? 0 : Number(parameters);
    else if (letter === "J" && parameters === "") this.#clearBelow();
    else if (parameters !== "?25") throw new Error(`An unknown sequence: ${JSON.stringify(part)}`);
  }

  #put(character: string): void {
    if (character < " " || character === "\x7f" || character.startsWith("\x1b")) {
      throw new Error(`An unknown character: ${JSON.stringify(character)}`);
    }
    if (this.#column === this.#size.columns) {
      this.#column = 0;
      this.#down();
    }
    const row = this.#rows[this.#row] ?? [];
    while (row.length < this.#column) row.push({ character: " ", colour: 0 });
    row[this.#column] = { character, colour: this.#colour };
    this.#column++;
  }

  #down(): void {
    this.#row++;
    if (this.#row === this.#rows.length) this.#rows.push([]);
    if (this.#rows.length <= this.#size.rows) return;
    this.#rows.shift();
    this.#row--;
  }

  #clearBelow(): void {
    this.#rows.length = this.#row + 1;
    this.#rows[this.#row]?.splice(this.#column);
  }
}
