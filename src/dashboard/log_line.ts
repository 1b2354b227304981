import { membersOf } from "./channel_model.ts";

/** How loud a line is, the quietest first. */
export const LOUDNESS = ["debug", "info", "warn", "error"] as const;
/** See {@link LOUDNESS}. */
export type Level = (typeof LOUDNESS)[number];

/** A line of a task's log. */
export type LogLine = {
  readonly seq: number;
  /** RFC 3339. */
  readonly time: string;
  readonly level: Level;
  readonly text: string;
};

/** A page of a log as the gateway answers it. */
export type LogPage = {
  readonly lines: readonly LogLine[];
  /** Where to go on from, towards the beginning; undefined where there is no more. */
  readonly nextBefore: number | undefined;
  /** Where to go on from, towards the end. */
  readonly nextAfter: number | undefined;
};

/** The longest text of a line that is shown, in UTF-16 code units. */
const MAX_TEXT = 16_384;

/** The line in a value that somebody published; undefined where it is none. */
export function lineIn(value: unknown, seq: number, time: string): LogLine | undefined {
  const { text, level = "info" } = membersOf(value);
  const known = LOUDNESS.find((name) => name === level);
  return typeof text === "string" && known !== undefined
    ? { seq, time, level: known, text: shown(text) }
    : undefined;
}

/** The page in an answer to `read_log`; what is no line in it is left out. */
export function pageIn(answer: unknown): LogPage {
  const { lines, next_before_seq: before, next_after_seq: after } = membersOf(answer);
  return {
    lines: (Array.isArray(lines) ? lines : []).flatMap((line: unknown) => {
      const { seq, time } = membersOf(line);
      return typeof seq === "number" && typeof time === "string" ? lineIn(line, seq, time) ?? [] : [];
    }),
    nextBefore: typeof before === "number" ? before : undefined,
    nextAfter: typeof after === "number" ? after : undefined,
  };
}

/** Whether a line is as loud as that, or louder. */
export function isAsLoud({ level }: LogLine, least: Level): boolean {
  return LOUDNESS.indexOf(level) >= LOUDNESS.indexOf(least);
}

/** Colours of terminals, and other controls than line ends and tabs, mean nothing here. */
function shown(text: string): string {
  return text.slice(0, MAX_TEXT)
    // deno-lint-ignore no-control-regex -- they are what is looked for
    .replaceAll(/\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]/g, "")
    .trimEnd();
}
