/** How large a terminal is, in characters. */
export type Size = { readonly columns: number; readonly rows: number };

/** Where a command writes: its results, and what it has to say beside them. */
export interface Output {
  /** Writes text as it is, to standard output. What nobody reads any more is dropped. */
  write(text: string | Uint8Array): void;
  /** Writes text as it is, to standard error. */
  complain(text: string | Uint8Array): void;
  /** The terminal's size now; undefined where standard output is none. */
  size(): Size | undefined;
  /** Whether colours are wanted: in a terminal, unless `NO_COLOR` is set. */
  readonly colours: boolean;
}

type Stream = { writeSync(bytes: Uint8Array): number };

/** The output of this process. `onGone` is called once when whoever read standard output has left (`… | head`). */
export function processOutput(onGone: () => void): Output {
  let gone = false;
  const isTerminal = Deno.stdout.isTerminal();
  return {
    write(text) {
      if (gone || written(Deno.stdout, text)) return;
      gone = true;
      onGone();
    },
    complain(text) {
      written(Deno.stderr, text);
    },
    size: () => isTerminal ? consoleSize() : undefined,
    colours: isTerminal && !Deno.noColor,
  };
}

/** Writes all of it; whether anybody reads. */
function written(stream: Stream, text: string | Uint8Array): boolean {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  try {
    for (let from = 0; from < bytes.length;) from += stream.writeSync(bytes.subarray(from));
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) return false;
    throw error;
  }
}

const USUAL: Size = { columns: 80, rows: 24 };

function consoleSize(): Size {
  try {
    const { columns, rows } = Deno.consoleSize();
    // A terminal that does not know says 0.
    return { columns: columns || USUAL.columns, rows: rows || USUAL.rows };
  } catch {
    return USUAL;
  }
}
