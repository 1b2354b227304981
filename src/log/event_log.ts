/** A record in the log. `seq` is its position, from 1; `time` when it was appended (ms since the epoch, the log's clock). */
export type Entry = {
  readonly seq: number;
  readonly time: number;
  /** Relative to the log's prefix: `task.<id>.<kind>`. Untrusted: anyone may have published it. */
  readonly subject: string;
  readonly body: Uint8Array;
  /** W3C trace context of the producer, where it gave one. */
  readonly traceparent?: string;
  /** Under which id it was appended, where that was asked for ({@link PageQuery.ids}) and is still known. */
  readonly id?: string;
};

/** Where a record lay in another log, from which it is moved to this one. */
export type Origin = {
  /** What it is moved with: records of one name come in order of `seq`. */
  readonly name: string;
  /** Its position there. */
  readonly seq: number;
};

/** A record to append. The same `id` within the dedup window is stored once. */
export type NewEntry = {
  readonly subject: string;
  readonly body: Uint8Array;
  readonly id?: string;
  readonly traceparent?: string;
  /**
   * Where the last record of its subject is to lie, 0 where there is to be none: where it is not so the record is not stored.
   * For what one of many may say, and only once.
   */
  readonly last?: number;
  /** Of a record that is moved here. The embedded log remembers the last of each name, and where they lie; JetStream keeps every `id`. */
  readonly origin?: Origin;
};

/**
 * Where a record lies now; `duplicate` when its id had been stored before and nothing was added. `overtaken`: it was not
 * stored, as the last record of its subject lies elsewhere than at {@link NewEntry.last}; `seq` is 0.
 */
export type Appended = { readonly seq: number; readonly duplicate: boolean; readonly overtaken?: true };

/** What becomes of a record that was not to be stored. */
export const OVERTAKEN: Appended = { seq: 0, duplicate: false, overtaken: true };

/**
 * The extent of the log. `epoch` names one life of the stream: positions of another epoch mean nothing here.
 * `firstSeq` is the oldest retained position and `lastSeq` the newest ever given; an empty log has
 * `firstSeq === lastSeq + 1`.
 */
export type Extent = { readonly epoch: string; readonly firstSeq: number; readonly lastSeq: number };

/** What following the log brings. */
export type Followed =
  /** Records in order, none at or before the position followed from, none twice. */
  | { readonly kind: "entries"; readonly entries: readonly Entry[] }
  /** Positions `from`…`to` are gone for good: retention took them before we read them. */
  | { readonly kind: "missed"; readonly from: number; readonly to: number }
  /** The stream is another one now (deleted and made again). Following goes on from its start. */
  | { readonly kind: "epoch"; readonly extent: Extent }
  /** The log is out of reach (`false`) or back again (`true`); following goes on by itself. */
  | { readonly kind: "reachable"; readonly reachable: boolean };

/** Which records a page is of. */
export type PageQuery = {
  /** Only records after this position. */
  readonly after: number;
  /** Only records up to this position. Default: the head. */
  readonly upTo?: number;
  /** Only this subject, or all below it when it ends in `.>`. Default: every subject. */
  readonly subject?: string;
  /** At most this many records. */
  readonly limit: number;
  /** The page ends with the record with which its bodies reach this many bytes. Default: no such end. */
  readonly maxBytes?: number;
  /**
   * Where the records of `subject` after `after` lie, ascending, from a caller who knows: a log without an index of its
   * own then need not look for them. Those that are gone by now are left out.
   * Without `subject` others may be among what is read: whoever asks passes over them.
   */
  readonly positions?: readonly number[];
  /** Whether the records come with their ids, which nobody needs who follows events. */
  readonly ids?: true;
};

/** Records in order. `through` is the position up to which nothing of the query is missing. */
export type Page = {
  readonly entries: readonly Entry[];
  readonly through: number;
};

/**
 * An append-only log of records with one offset space. JetStream and SQLite implement it; one contract suite is
 * run on each. Every method rejects with {@link LogError} when the log is out of reach.
 */
export interface EventLog extends AsyncDisposable {
  /** Appends records in order; resolves when they are durable. Each has its own outcome. */
  append(entries: readonly NewEntry[]): Promise<readonly Appended[]>;
  /** Follows the log from `after` (exclusive) until `signal` aborts, through outages and re-creations. */
  follow(
    from: { readonly epoch: string; readonly after: number },
    signal: AbortSignal,
  ): AsyncIterable<Followed>;
  /** One page of history. */
  read(query: PageQuery): Promise<Page>;
  /** The last record of each subject (all, or those below `subject`, which ends in `.>`), in order of position, in batches. */
  lastPerSubject(subject?: string): AsyncIterable<readonly Entry[]>;
  /** The extent of the log as it is now. */
  extent(): Promise<Extent>;
}

/** Why the log did not do what was asked. */
export type LogErrorCode =
  /** Out of reach: connection lost, server restarting, disk busy. Asking again may help. */
  | "unreachable"
  /** The log refuses: no permission, disk full, record too large. Asking again does not help by itself. */
  | "refused"
  /** The stream exists with other settings than ours; `message` names the difference. */
  | "mismatch"
  /** What it holds cannot be read: somebody has to mend it. */
  | "damaged"
  /** The log was closed. */
  | "closed";

/** The world's failure: the log could not do what was asked. */
export class LogError extends Error {
  override name = "LogError";
  /** What kind of failure. */
  readonly code: LogErrorCode;

  constructor(code: LogErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Whether `subject` is within `filter`: the same, or below it when it ends in `.>`; every subject when undefined. */
export function subjectMatches(filter: string | undefined, subject: string): boolean {
  if (filter === undefined) return true;
  return filter.endsWith(".>") ? subject.startsWith(filter.slice(0, -1)) : subject === filter;
}

/** The longest subject that is taken, in UTF-16 units; NATS's control line ends at 4,096 bytes. */
export const MAX_SUBJECT_LENGTH = 1024;
/** The longest id that is taken, in UTF-16 units. */
export const MAX_ID_LENGTH = 256;

/**
 * Why `entry` may not be appended, in one sentence; undefined when it may. Every adapter refuses the same: a line
 * break in a subject or an id would be a second command to NATS. What others publish past us may break this.
 */
export function entryFault({ subject, id = "", traceparent = "", last = 0 }: NewEntry): string | undefined {
  if (subject.length > MAX_SUBJECT_LENGTH) return `subject: must be at most ${MAX_SUBJECT_LENGTH} characters`;
  if (!subject.isWellFormed() || !/^[^\s\p{Cc}.*>]+(\.[^\s\p{Cc}.*>]+)*$/u.test(subject)) {
    return "subject: must be tokens between single dots, without white space, control characters, * and >";
  }
  if (id.length > MAX_ID_LENGTH) return `id: must be at most ${MAX_ID_LENGTH} characters`;
  if (!/^[\x20-\x7e]*$/.test(id)) return "id: must be visible ASCII";
  if (!/^[\da-f-]{0,128}$/.test(traceparent)) return "traceparent: must be a W3C trace context";
  if (!Number.isSafeInteger(last) || last < 0) return "last: must be a position, or 0";
  return undefined;
}
