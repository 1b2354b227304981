import { createHash, type Hash } from "node:crypto";
import type { Page } from "../log/event_log.ts";
import { type Header, printHeader, printRecord, printSum, type Sum } from "./archive_line.ts";
import type { Place } from "./archive_reader.ts";

/** A checkpoint comes after so many records or bytes of lines, whichever is first. */
const CHECKPOINT = { records: 1_000, bytes: 2 * 1024 * 1024 };

const encoder = new TextEncoder();

/** Makes the lines of an archive, from its start or from a place in it. It writes nothing itself. */
export class ArchiveWriter {
  readonly #hash: Hash;
  #records: number;
  #through: number;
  #unsummed = { records: 0, bytes: 0 };

  private constructor(place: Pick<Place, "hash" | "records" | "through">) {
    this.#hash = place.hash;
    this.#records = place.records;
    this.#through = place.through;
  }

  /** A new archive, and its first line. */
  static begin(header: Header): readonly [ArchiveWriter, Uint8Array] {
    const writer = new ArchiveWriter({ hash: createHash("sha256"), records: 0, through: header.after });
    return [writer, writer.#line(printHeader(header))];
  }

  /** One that goes on where another was left. */
  static goOn(place: Place): ArchiveWriter {
    return new ArchiveWriter(place);
  }

  /** How many records it has, with those from before. */
  get records(): number {
    return this.#records;
  }

  /** Up to where they are whole. */
  get through(): number {
    return this.#through;
  }

  /** The lines of a page, with a checkpoint where one is due. */
  page({ entries, through }: Page): readonly Uint8Array[] {
    const lines: Uint8Array[] = [];
    for (const entry of entries) {
      const line = this.#line(printRecord(entry));
      lines.push(line);
      this.#records++;
      this.#through = entry.seq;
      this.#unsummed.records++;
      this.#unsummed.bytes += line.length;
      const { records, bytes } = this.#unsummed;
      if (records >= CHECKPOINT.records || bytes >= CHECKPOINT.bytes) lines.push(...this.checkpoint());
    }
    this.#through = Math.max(this.#through, through);
    return lines;
  }

  /** A checkpoint, where there is anything since the last one. */
  checkpoint(): readonly Uint8Array[] {
    if (this.#unsummed.records === 0) return [];
    this.#unsummed = { records: 0, bytes: 0 };
    return [this.#line(printSum("checkpoint", this.#sum()))];
  }

  /** The last line, and the sum in it. */
  end(): { readonly line: Uint8Array; readonly sha256: string } {
    const sum = this.#sum();
    return { line: encoder.encode(printSum("end", sum)), sha256: sum.sha256 };
  }

  #sum(): Sum {
    return { records: this.#records, through: this.#through, sha256: this.#hash.copy().digest("hex") };
  }

  #line(text: string): Uint8Array {
    const bytes = encoder.encode(text);
    this.#hash.update(bytes);
    return bytes;
  }
}
