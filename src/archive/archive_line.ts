import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import * as v from "valibot";
import type { Entry } from "../log/event_log.ts";
import { brokenRule } from "../protocol/client_frames.ts";

/** The version of the format that is written, and the only one that is read. */
export const FORMAT = 1;

const Position = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER));
const Sha256 = v.pipe(v.string(), v.regex(/^[\da-f]{64}$/, "must be 64 hexadecimal digits"));
const Time = v.pipe(v.string(), v.isoTimestamp("must be an RFC 3339 time"));

/** The first line: of which log these are records, and which. */
const HeaderLine = v.object({
  taskwire_archive: v.literal(FORMAT, `must be ${FORMAT}, the version that this program reads`),
  /** The life of the log that the positions are of. */
  epoch: v.pipe(v.string(), v.regex(/^[\w-]{1,64}$/, "must be 1–64 letters, digits, - and _")),
  /** The stream's name and what its subjects begin with; null of an embedded log. */
  stream: v.nullable(v.string()),
  subject_prefix: v.nullable(v.string()),
  /** Only records after this position. */
  after: Position,
  /** What the log held when the file was begun. */
  first: Position,
  last: Position,
  /** Only the records of this task. */
  task: v.optional(v.string()),
  /** When the file was begun. */
  at: Time,
});

const RecordLine = v.object({
  seq: v.pipe(Position, v.minValue(1)),
  time: Time,
  subject: v.string(),
  body: v.optional(v.string()),
  base64: v.optional(v.pipe(v.string(), v.base64("must be base64"))),
  id: v.optional(v.string()),
  traceparent: v.optional(v.string()),
});

const CheckpointLine = v.object({ checkpoint: Position, through: Position, sha256: Sha256 });
const EndLine = v.object({ end: Position, through: Position, sha256: Sha256 });

/** What a file holds: the first line. */
export type Header = Readonly<v.InferOutput<typeof HeaderLine>>;

/** What a checkpoint, or the end, says of all lines before it: the records, up to where they are whole, and their sum. */
export type Sum = { readonly records: number; readonly through: number; readonly sha256: string };

/** A line that was understood; `broken` is the rule that it breaks. */
export type Line =
  | { readonly kind: "header"; readonly header: Header }
  | { readonly kind: "record"; readonly entry: Entry }
  | { readonly kind: "checkpoint" | "end"; readonly sum: Sum }
  | { readonly kind: "broken"; readonly rule: string };

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Understands one line. Pure; never throws. */
export function parseLine(bytes: Uint8Array): Line {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(bytes));
  } catch {
    return broken("must be JSON in UTF-8");
  }
  if (typeof value !== "object" || value === null) return broken("must be a JSON object");
  if ("seq" in value) return recordOf(value);
  if ("checkpoint" in value) {
    const read = v.safeParse(CheckpointLine, value);
    if (!read.success) return broken(brokenRule(read.issues, "line"));
    const { checkpoint: records, through, sha256 } = read.output;
    return { kind: "checkpoint", sum: { records, through, sha256 } };
  }
  if ("end" in value) {
    const read = v.safeParse(EndLine, value);
    if (!read.success) return broken(brokenRule(read.issues, "line"));
    const { end: records, through, sha256 } = read.output;
    return { kind: "end", sum: { records, through, sha256 } };
  }
  if ("taskwire_archive" in value) {
    const read = v.safeParse(HeaderLine, value);
    return read.success ? { kind: "header", header: read.output } : broken(brokenRule(read.issues, "line"));
  }
  return broken("must be a header, a record, a checkpoint or the end of an archive");
}

function recordOf(value: object): Line {
  const read = v.safeParse(RecordLine, value);
  if (!read.success) return broken(brokenRule(read.issues, "line"));
  const { seq, time, subject, body, base64, id, traceparent } = read.output;
  if ((body === undefined) === (base64 === undefined)) {
    return broken("must have either body or base64");
  }
  const entry: Entry = {
    seq,
    time: Date.parse(time),
    subject,
    body: base64 === undefined
      ? new TextEncoder().encode(body)
      : new Uint8Array(Buffer.from(base64, "base64")),
    ...(id === undefined ? {} : { id }),
    ...(traceparent === undefined ? {} : { traceparent }),
  };
  return { kind: "record", entry };
}

function broken(rule: string): Line {
  return { kind: "broken", rule };
}

/** The first line. Pure. */
export function printHeader(header: Header): string {
  return `${JSON.stringify(header)}\n`;
}

/** A record's line: its body as text where that is UTF-8, else as base64. Pure. */
export function printRecord({ seq, time, subject, body, id, traceparent }: Entry): string {
  const text = textOf(body);
  return `${
    JSON.stringify({
      seq,
      time: new Date(time).toISOString(),
      subject,
      ...(text === undefined ? { base64: Buffer.from(body).toString("base64") } : { body: text }),
      ...(id === undefined ? {} : { id }),
      ...(traceparent === undefined ? {} : { traceparent }),
    })
  }\n`;
}

/** Control characters are six bytes each in JSON: with them a line could be six times as long as its record. */
function textOf(body: Uint8Array): string | undefined {
  try {
    const text = decoder.decode(body);
    // deno-lint-ignore no-control-regex -- these very characters are what is looked for
    return /[\x00-\x08\x0b\x0e-\x1f]/.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

/** The line of a checkpoint, or of the end. Pure. */
export function printSum(kind: "checkpoint" | "end", { records, through, sha256 }: Sum): string {
  return `${JSON.stringify({ [kind]: records, through, sha256 })}\n`;
}

/**
 * What the records of a file are known by in the log to which they are moved: files of the same life of a log that begin
 * at the same position and are of the same tasks are one. Pure.
 */
export function nameOf({ epoch, after, task }: Header): string {
  if (after === 0 && task === undefined) return epoch;
  const part = createHash("sha256").update(JSON.stringify([after, task ?? null])).digest("hex").slice(0, 12);
  return `${epoch}~${part}`;
}
