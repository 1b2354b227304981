import type { Entry } from "../log/event_log.ts";
import type { RejectedItem } from "../protocol/server_frames.ts";

const KEPT = 1_000;
const PREVIEW_BYTES = 200;
const SUBJECT_CHARS = 300;

/** Counts the records that could not be understood and lists the newest thousand of them. */
export class RejectedRecords {
  #items: RejectedItem[] = [];
  #total: number;

  /** `before` were met by the one whose place this takes. */
  constructor(before = 0) {
    this.#total = before;
  }

  /** How many were met since the start. */
  get total(): number {
    return this.#total;
  }

  /** Notes one; `isNew` unless it was met before the state was built anew. */
  add(entry: Entry, reason: string, isNew = true): void {
    if (isNew) this.#total++;
    this.#items.push({
      seq: entry.seq,
      time: new Date(entry.time).toISOString(),
      subject: entry.subject.slice(0, SUBJECT_CHARS),
      reason,
      bytes: entry.body.length,
      preview: new TextDecoder().decode(entry.body.subarray(0, PREVIEW_BYTES)),
    });
    if (this.#items.length >= KEPT * 2) this.#items = this.#items.slice(-KEPT);
  }

  /** The newest first. */
  list(): readonly RejectedItem[] {
    return this.#items.slice(-KEPT).reverse();
  }
}
