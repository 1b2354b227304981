import { harmless } from "./text_width.ts";

/** What a line of a program's output says about how far it is. */
export type SaidProgress =
  | { readonly completed: number; readonly total: number; readonly current: string }
  | { readonly percentage: number; readonly current: string };

/** The part of a line that is looked at, and kept, in characters. */
const MAX_LINE = 4_096;
const MAX_CURRENT = 200;

/** Not within a longer number, a date or a path. */
const FRACTION = /(?<![\w./-])(\d{1,15}(?:\.\d{1,6})?)\s?\/\s?(\d{1,15}(?:\.\d{1,6})?)(?![\w/]|\.\d|-\d)/;
const PERCENT = /(?<![\w./-])(\d{1,3}(?:\.\d{1,6})?)\s?%/;
// deno-lint-ignore no-control-regex -- the sequences that programs colour and move with
const SEQUENCES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g;

/**
 * How far a program is by a line of its output that holds `n/m`, else `n%`; undefined where it holds neither. `current`
 * is the line itself, or empty where it says nothing else. Pure.
 */
export function progressIn(line: string): SaidProgress | undefined {
  const text = harmless(line.slice(0, MAX_LINE).replaceAll(SEQUENCES, "")).trim();
  const fraction = FRACTION.exec(text);
  const [completed, total] = [Number(fraction?.[1]), Number(fraction?.[2])];
  if (fraction !== null && total > 0 && completed <= total) {
    return { completed, total, current: wordsOf(text, fraction[0]) };
  }
  const percent = PERCENT.exec(text);
  const percentage = Number(percent?.[1]);
  if (percent === null || percentage > 100) return undefined;
  return { percentage, current: wordsOf(text, percent[0]) };
}

/** The line, unless it is nothing but the number and the strokes of a bar. */
function wordsOf(text: string, number: string): string {
  return /\p{L}/u.test(text.replace(number, "")) ? text.slice(0, MAX_CURRENT) : "";
}

/** Text in pieces, as lines. A carriage return ends one too: that is how programs draw over a line. */
export class Lines {
  readonly #decoder = new TextDecoder();
  #rest = "";

  /** The lines that `bytes` end. Of one that never ends the beginning is kept. */
  take(bytes: Uint8Array): readonly string[] {
    const parts = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split(/[\r\n]+/);
    this.#rest = (parts.pop() ?? "").slice(0, MAX_LINE);
    return parts.filter((part) => part !== "");
  }

  /** What is left when no more comes. */
  end(): readonly string[] {
    const rest = this.#rest;
    this.#rest = "";
    return rest === "" ? [] : [rest];
  }
}
