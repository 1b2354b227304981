import { type Lost, Outlet } from "./outlet.ts";

/** How large a terminal is, in characters. */
export type Size = { readonly columns: number; readonly rows: number };

/** Where a command writes: its results, and what it has to say beside them. */
export interface Output {
  /** Writes text as it is, to standard output, and waits for who reads it. What nobody reads any more is dropped. */
  write(text: string): void;
  /** Writes text as it is, to standard error. */
  complain(text: string): void;
  /** One of the two for who must not stand still meanwhile; what is written in both ways at once may get lost. */
  outlet(name: "stdout" | "stderr", lost: Lost): Outlet;
  /** The terminal's size now; undefined where standard output is none. */
  size(): Size | undefined;
  /** Whether colours are wanted: in a terminal, unless `NO_COLOR` is set. */
  readonly colours: boolean;
}

/** The output of this process. `lost` is told when what is written to standard output gets nowhere any more. */
export function processOutput(lost: Lost): Output {
  const isTerminal = Deno.stdout.isTerminal();
  const stdout = new Outlet(Deno.stdout, lost);
  // There is nobody left to be told.
  const stderr = new Outlet(Deno.stderr, () => {});
  const encoder = new TextEncoder();
  return {
    write: (text) => stdout.put(encoder.encode(text)),
    complain: (text) => stderr.put(encoder.encode(text)),
    outlet: (name, lost) => new Outlet(Deno[name], lost),
    size: () => isTerminal ? consoleSize() : undefined,
    colours: isTerminal && !Deno.noColor,
  };
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
