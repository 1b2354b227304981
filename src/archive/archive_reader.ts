import { createHash, type Hash } from "node:crypto";
import type { Entry } from "../log/event_log.ts";
import { concat } from "../protocol/codec.ts";
import { type Header, parseLine, type Sum } from "./archive_line.ts";

/** The longest line, in bytes: NATS takes messages of 64 MiB at most, which base64 makes a third longer. */
const MAX_LINE_BYTES = 100_000_000;
/** Most records and bytes that may come without a checkpoint: they are held until it has come. */
const MAX_UNSUMMED = { records: 100_000, bytes: 2 * MAX_LINE_BYTES };

/** What lies before a place in a file, so that writing can go on from there. */
export type Place = {
  readonly header: Header;
  /** In bytes from the start. */
  readonly offset: number;
  readonly records: number;
  readonly through: number;
  /** The sum of all bytes before it. */
  readonly hash: Hash;
};

/** What reading an archive brings, in order. */
export type Part =
  | { readonly kind: "header"; readonly header: Header; readonly place: Place }
  /** Records that a checkpoint, or the end, says are whole; `from` and `to` are the numbers of their lines. */
  | {
    readonly kind: "records";
    readonly entries: readonly Entry[];
    readonly from: number;
    readonly to: number;
    readonly isEnd: boolean;
    readonly place: Place;
  }
  /** A line that breaks a rule. No records come any more, only further broken lines. */
  | { readonly kind: "broken"; readonly line: number; readonly rule: string }
  /** The file ends before its last line: what came since the last checkpoint is left out. */
  | { readonly kind: "cut"; readonly line: number; readonly why: string };

/** Reads an archive in bounded memory. What is not summed up by a checkpoint is not handed over. */
export async function* readArchive(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Part, void, void> {
  const reading = new Reading();
  try {
    for await (const line of linesOf(chunks)) {
      yield* reading.line(line);
      if (reading.isOver) return;
    }
  } catch (error) {
    if (!(error instanceof BrokenInput)) throw error;
    yield { kind: "cut", line: reading.number + 1, why: error.message };
    return;
  }
  yield* reading.ended();
}

/** The input breaks off in its middle: of what is packed, the rest cannot be had. */
export class BrokenInput extends Error {
  override name = "BrokenInput";
}

class Reading {
  /** The number of the line that was read last. */
  number = 0;
  isOver = false;
  readonly #hash = createHash("sha256");
  #header: Header | undefined;
  #offset = 0;
  #entries: Entry[] = [];
  #bytes = 0;
  #from = 2;
  #records = 0;
  #last = 0;
  #hasEnded = false;
  #isBroken = false;

  *line({ bytes, isWhole }: RawLine): Generator<Part, void, void> {
    if (!isWhole && bytes.length <= MAX_LINE_BYTES) return;
    this.number++;
    if (bytes.length > MAX_LINE_BYTES) {
      this.isOver = true;
      return yield this.#broken(`must be at most ${MAX_LINE_BYTES} bytes`);
    }
    if (this.#hasEnded) return yield this.#broken("nothing may come after the end");
    const line = parseLine(bytes);
    if ((this.number === 1) !== (line.kind === "header")) {
      this.isOver = this.number === 1;
      const rule = line.kind === "broken" ? ` (${line.rule})` : "";
      return yield this.#broken(
        this.number === 1 ? `must be the header of a taskwire archive${rule}` : "only the first is a header",
      );
    }
    switch (line.kind) {
      case "header":
        this.#header = line.header;
        this.#last = line.header.after;
        this.#take(bytes);
        return yield { ...line, place: this.#place(line.header, 0, line.header.after) };
      case "record":
        if (line.entry.seq <= this.#last) {
          return yield this.#broken(`seq: must be more than ${this.#last}, the one before it`);
        }
        this.#last = line.entry.seq;
        this.#records++;
        this.#bytes += bytes.length;
        if (!this.#isBroken) this.#entries.push(line.entry);
        this.#take(bytes);
        if (this.#entries.length > MAX_UNSUMMED.records || this.#bytes > MAX_UNSUMMED.bytes) {
          yield this.#broken(`a checkpoint must have come by here, since line ${this.#from}`);
        }
        return;
      case "checkpoint":
      case "end":
        this.#hasEnded = line.kind === "end";
        return yield* this.#summed(line.sum, bytes);
      case "broken":
        return yield this.#broken(line.rule);
    }
  }

  *ended(): Generator<Part, void, void> {
    if (this.#hasEnded || this.#isBroken) return;
    if (this.number === 0) yield this.#broken("must be the header of a taskwire archive; there is none");
    else yield { kind: "cut", line: this.number + 1, why: "the file ends before its last line" };
  }

  *#summed({ records, through, sha256 }: Sum, bytes: Uint8Array): Generator<Part, void, void> {
    const header = this.#header;
    const [from, to, entries] = [this.#from, this.number, this.#entries];
    this.#from = to + 1;
    this.#entries = [];
    this.#bytes = 0;
    if (this.#isBroken || header === undefined) return;
    if (this.#hash.copy().digest("hex") !== sha256) {
      return yield this.#broken(`the checksum does not fit: something in lines ${from}–${to} was changed`);
    }
    if (records !== this.#records) return yield this.#broken(`must count ${this.#records} records`);
    if (through < this.#last) return yield this.#broken(`through: must be at least ${this.#last}`);
    this.#last = through;
    const isEnd = this.#hasEnded;
    if (!isEnd) this.#take(bytes);
    yield { kind: "records", entries, from, to, isEnd, place: this.#place(header, records, through) };
  }

  #place(header: Header, records: number, through: number): Place {
    return { header, offset: this.#offset, records, through, hash: this.#hash.copy() };
  }

  #take(bytes: Uint8Array): void {
    this.#offset += bytes.length + 1;
    this.#hash.update(bytes).update("\n");
  }

  #broken(rule: string): Part {
    this.#isBroken = true;
    this.#entries = [];
    return { kind: "broken", line: this.number, rule };
  }
}

/** A line without its end; `isWhole` unless the input ended, or the line was too long, before that. */
type RawLine = { readonly bytes: Uint8Array; readonly isWhole: boolean };

async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<RawLine, void, void> {
  let parts: Uint8Array[] = [];
  let held = 0;
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      const tail = chunk.subarray(from, end);
      yield { bytes: parts.length === 0 ? tail : concat([...parts, tail]), isWhole: true };
      parts = [];
      held = 0;
      from = end + 1;
    }
    if (from === chunk.length) continue;
    // A copy: a chunk may be written over by the next one.
    parts.push(chunk.slice(from));
    held += chunk.length - from;
    if (held > MAX_LINE_BYTES) return yield { bytes: concat(parts), isWhole: false };
  }
  if (held > 0) yield { bytes: concat(parts), isWhole: false };
}
