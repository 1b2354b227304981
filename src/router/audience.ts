import type { Scope } from "../access/scope.ts";
import { type Delivery, isLost } from "../projection/delivery.ts";
import type { Codec } from "../protocol/codec.ts";
import { type Batch, batchOf } from "./batch.ts";
import { conflate, type Part } from "./conflation.ts";
import { DELTA_BYTES, Deltas } from "./deltas.ts";
import { after, type Outstanding, waitFor } from "./outstanding.ts";
import { Room } from "./room.ts";

/** A live connection, as far as the router knows it. */
export interface Member {
  /** Whether its socket still holds bytes of before and asks for no more. */
  readonly congested: boolean;
  /** When it was last written a flush at its own pace, in ms of the router's clock; its audiences keep it. */
  pacedAtMs: number;
  /** Writes a prepared flush to its socket. */
  write(bytes: Uint8Array): void;
  /** It is live no more: its socket did not drain, and it has been served up to `cursor`. */
  lagged(cursor: number): void;
  /** A task went out of its sight; all that came before was written. */
  lost(taskId: string): void;
}

/** A member that fell behind, and the position up to which it has been served. */
export type Lagged = { readonly member: Member; readonly cursor: number };

/** What a flush came to. Those that lagged are members no more. */
export type Flushed = { readonly batch: Batch; readonly writes: number; readonly lagged: readonly Lagged[] };

/** So many parts may wait before what is pointless among them is dropped. */
const COMPACT_PARTS = 1_024;

/** What the connections of an audience have in common. */
export type AudienceOptions = {
  readonly key: string;
  readonly topics: ReadonlySet<string>;
  readonly codec: Codec;
  /** The least time between two flushes of progress alone, in ms. Default 0. */
  readonly paceMs?: number;
  /** The tasks that they may see. Default: all. */
  readonly scope?: Scope | undefined;
  /** Memory for what they were told last, where progress is told by what changed. Default: its own. */
  readonly room?: Room;
};

/**
 * Connections that hold the same topics in the same codec, and may see the same. They share each flush: merged once, encoded once, one
 * buffer, one write a member. All that a member costs on the live path is that write.
 */
export class Audience {
  readonly key: string;
  readonly topics: ReadonlySet<string>;
  readonly codec: Codec;
  /** The tasks that its members may see; undefined where those are all. */
  readonly scope: Scope | undefined;
  readonly #members = new Set<Member>();
  /** Members that have been served further than the last flush, and how far. */
  readonly #ahead = new Map<Member, number>();
  /** Members whose own pace has them wait for progress: they came from another audience. */
  readonly #owed = new Map<Member, Outstanding>();
  #pending: Part[] = [];
  /** Tasks that left memory, for those who hold `task:list`, and how far the log was followed then. */
  readonly #removed = new Map<string, number>();
  #flushedTo: number;
  /** When the next flush may be, in ms of the router's clock. */
  dueMs = -Infinity;
  /** When the next flush of progress alone may be, as far as the beat goes. */
  progressDueMs = -Infinity;
  /** The least time between two flushes of progress alone, in ms. */
  readonly paceMs: number;
  #compactAt = COMPACT_PARTS;
  #isPatient = true;
  /** Where progress is told by what changed. */
  readonly #deltas: Deltas | undefined;

  constructor({ key, topics, codec, paceMs = 0, scope, room }: AudienceOptions, head: number) {
    this.key = key;
    this.paceMs = paceMs;
    this.topics = topics;
    this.codec = codec;
    this.#deltas = codec.hasDeltas === true ? new Deltas(room ?? new Room(DELTA_BYTES)) : undefined;
    this.scope = scope;
    this.#flushedTo = head;
  }

  /** Whether all that is pending is progress, which may wait for the pace; a status takes it along. */
  get isPatient(): boolean {
    return this.#isPatient;
  }

  /** How many connections are live here. */
  get size(): number {
    return this.#members.size;
  }

  /** How many parts wait for the next flush. */
  get waiting(): number {
    return this.#pending.length;
  }

  /** Whether there is something to flush. */
  get dirty(): boolean {
    return this.#pending.length > 0 || this.#removed.size > 0;
  }

  /** Whether any member has to be brought what it was not written, though nothing is pending. */
  get owes(): boolean {
    return this.#owed.size > 0;
  }

  /** When what is pending, or owed, may be flushed. */
  get nextMs(): number {
    if (!this.#isPatient) return this.dueMs;
    const nextMs = Math.max(this.dueMs, this.progressDueMs);
    if (this.dirty) return nextMs;
    let owedMs = Infinity;
    for (const member of this.#owed.keys()) owedMs = Math.min(owedMs, this.#dueOf(member));
    return Math.max(nextMs, owedMs);
  }

  /** Whether all that `member` was not written yet is progress, which its pace has wait. */
  waits(member: Member): boolean {
    return this.paceMs > 0 && this.#isPatient && (this.dirty || this.#owed.has(member));
  }

  /** That progress. */
  outstanding(member: Member, head: number): Outstanding | undefined {
    if (!this.waits(member)) return undefined;
    const owed = this.#owed.get(member);
    if (!this.dirty) return owed && { ...owed, upTo: head };
    return waitFor(owed ?? this.#nothing(member), this.#pending, head);
  }

  #nothing(member: Member): Outstanding {
    const cursor = this.#ahead.get(member) ?? this.#flushedTo;
    return { cursor, upTo: cursor, parts: [] };
  }

  #dueOf({ pacedAtMs }: Member): number {
    return pacedAtMs + this.paceMs;
  }

  /** The position up to which `member` has been served, while the log was followed up to `head`. */
  cursorOf(member: Member, head: number): number {
    const owed = this.#owed.get(member);
    if (owed !== undefined) return owed.cursor;
    const ahead = this.#ahead.get(member);
    return this.dirty ? ahead ?? this.#flushedTo : Math.max(head, ahead ?? 0);
  }

  /**
   * Takes in a connection that has been served up to `cursor`, which must not lie before the last flush; or but for what
   * is outstanding up to `head`.
   */
  join(member: Member, cursor: number, head: number, owed?: Outstanding): void {
    if (!this.dirty) this.#flushedTo = head;
    if (owed !== undefined) this.#owed.set(member, owed);
    else if (cursor > this.#flushedTo) this.#ahead.set(member, cursor);
    this.#members.add(member);
    this.#deltas?.setApart(member);
  }

  /** Lets a connection go. */
  leave(member: Member): void {
    this.#members.delete(member);
    this.#ahead.delete(member);
    this.#owed.delete(member);
    this.#deltas?.leave(member);
    if (this.#members.size === 0) this.#deltas?.clear();
  }

  /** Whether a task goes out of its members' sight with this. */
  loses(delivery: Delivery): boolean {
    return this.scope !== undefined && isLost(delivery, this.scope);
  }

  /** Those who are live here. */
  get members(): Iterable<Member> {
    return this.#members;
  }

  /** Adds what the next flush is to bring. What newer progress makes pointless goes whenever the list has doubled. */
  add(part: Part): void {
    this.#pending.push(part);
    if (part.status || part.list || part.lost === true) this.#isPatient = false;
    if (part.list) this.#removed.delete(part.delivery.taskId);
    if (this.#pending.length < this.#compactAt) return;
    this.#pending = conflate(this.#pending);
    this.#compactAt = Math.max(COMPACT_PARTS, 2 * this.#pending.length);
  }

  /** Adds a task that the list is to lose, as of position `head`. */
  remove(taskId: string, head: number): void {
    this.#removed.set(taskId, head);
    this.#isPatient = false;
  }

  /**
   * Writes what is pending to every member; who has not drained leaves with its cursor. `head` is how far it reaches.
   * `patient`: it is progress alone, and a member that got some less than its pace ago waits.
   */
  flush(
    head: number,
    { nowMs, elapsedMs }: { readonly nowMs: number; readonly elapsedMs: number },
    patient: boolean = this.#isPatient,
  ): Flushed {
    const isQuiet = !this.dirty;
    const parts = this.#pending;
    const from = this.#flushedTo;
    const removed = [...this.#removed.keys()];
    const deltas = isQuiet ? undefined : this.#deltas;
    deltas?.begin(this.#members.size, elapsedMs);
    const batch = batchOf(parts, this.codec, nowMs, { removed, deltas });
    let whole: Batch | undefined;
    const ahead = this.#batchesAhead(parts, from, nowMs);
    const lagged: Lagged[] = [];
    let writes = 0;
    for (const member of this.#members) {
      const owed = this.#owed.get(member);
      if (isQuiet && owed === undefined) continue;
      if (patient && this.paceMs > 0 && this.#dueOf(member) > elapsedMs) {
        this.#owed.set(member, waitFor(owed ?? this.#nothing(member), parts, head));
        continue;
      }
      if (this.paceMs > 0) member.pacedAtMs = elapsedMs;
      const own = ahead.get(member);
      if (member.congested || (owed !== undefined && owed.parts === undefined)) {
        this.leave(member);
        lagged.push({ member, cursor: owed?.cursor ?? own?.cursor ?? from });
        continue;
      }
      this.#owed.delete(member);
      const itsOwn = owed === undefined ? own?.batch : this.#batchOwed(owed, parts, nowMs);
      if (itsOwn !== undefined) deltas?.setApart(member);
      else if (deltas?.isApart(member) === true) whole ??= batchOf(parts, this.codec, nowMs, { removed });
      const { bytes, frames } = itsOwn ?? (deltas?.isApart(member) === true ? whole ?? batch : batch);
      if (frames === 0) continue;
      member.write(bytes);
      writes++;
    }
    this.#pending = [];
    this.#compactAt = COMPACT_PARTS;
    this.#isPatient = true;
    this.#removed.clear();
    // Who came with a cursor that another gateway gave it may know of more than we do.
    for (const [member, cursor] of this.#ahead) if (cursor <= head) this.#ahead.delete(member);
    this.#flushedTo = head;
    return { batch, writes, lagged };
  }

  /** Members that had seen part of what is pending get the rest of it only, batched once for each position. */
  #batchesAhead(
    parts: readonly Part[],
    from: number,
    nowMs: number,
  ): ReadonlyMap<Member, { batch: Batch; cursor: number }> {
    const byCursor = new Map<number, Batch>();
    const byMember = new Map<Member, { batch: Batch; cursor: number }>();
    for (const [member, cursor] of this.#ahead) {
      if (cursor <= from) continue;
      const batch = byCursor.get(cursor) ?? this.#batchAfter(cursor, parts, nowMs);
      byCursor.set(cursor, batch);
      byMember.set(member, { batch, cursor });
    }
    return byMember;
  }

  #batchOwed({ upTo, parts: owed = [] }: Outstanding, parts: readonly Part[], nowMs: number): Batch {
    return batchOf([...owed, ...after(upTo, parts)], this.codec, nowMs, {
      removed: this.#removedAfter(upTo),
    });
  }

  #batchAfter(cursor: number, parts: readonly Part[], nowMs: number): Batch {
    return batchOf(after(cursor, parts), this.codec, nowMs, { removed: this.#removedAfter(cursor) });
  }

  #removedAfter(cursor: number): string[] {
    return [...this.#removed].flatMap(([id, head]) => head >= cursor ? [id] : []);
  }
}
