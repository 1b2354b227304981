import type { Scope, TaskNames } from "../access/scope.ts";
import type { Delivery } from "../projection/delivery.ts";
import { type Held, Interest, keyOf } from "../projection/interest.ts";
import type { Told } from "../projection/forgotten.ts";
import { Removals } from "../projection/removals.ts";
import type { Codec } from "../protocol/codec.ts";
import { parseTopic, topicsOf } from "../protocol/topics.ts";
import { Audience, type Member } from "./audience.ts";
import type { Part } from "./conflation.ts";
import { DELTA_BYTES } from "./deltas.ts";
import { Holders } from "./holders.ts";
import { heldOf, type Outstanding } from "./outstanding.ts";
import { Room } from "./room.ts";

/** Time as the router needs it, so that tests own it. */
export interface Clock {
  /** Ms since the epoch, as others are told: by a clock that may be set, and then leaps. */
  now(): number;
  /** Ms since some moment, by a clock that nobody sets: how long something takes, and when it is due. */
  elapsed(): number;
  /** Calls `run` once after `delayMs`; returns how to call it off. */
  after(delayMs: number, run: () => void): () => void;
}

/** What the router counted since the start, for `/metrics`; and where the lag of each flush goes. */
export type RouterCounts = {
  flushes: number;
  frames: number;
  bytes: number;
  writes: number;
  /** Called once a flush with the age of its oldest event, in ms. */
  lag: (ms: number) => void;
  /** Runs a flush: where it is timed, and gets its span. */
  around: (flush: () => void) => void;
};

/** The index entry of an audience for one delivery, reused from delivery to delivery. */
type Wanted = { progress: boolean; status: boolean; list: boolean };

const YIELD_MS = 1;
const LIST = "task:list";
const NONE: ReadonlySet<Audience> = new Set();

/**
 * Brings deliveries to audiences. An audience in which all is quiet is flushed at once; a busy one when `flushMs`
 * have passed since its last flush.
 */
export class Router {
  readonly #clock: Clock;
  readonly #flushMs: number;
  readonly #counts: RouterCounts;
  readonly #audiences = new Map<string, Audience>();
  readonly #byTopic = new Map<string, Holders>();
  /** The topics that somebody live holds and that name a task, by the task. */
  readonly #naming = new Map<string, Set<string>>();
  readonly #homes = new Map<Member, Audience>();
  readonly #dirty = new Set<Audience>();
  /** Of all audiences that are told what changed. */
  readonly #room = new Room(DELTA_BYTES);
  /** Tasks that left memory, for those who come back to `task:list`. */
  readonly removals: Removals = new Removals();
  /** What members left outstanding, until they join again. */
  readonly #outstanding = new WeakMap<Member, Outstanding>();
  #head: number;
  #timer: { readonly dueMs: number; readonly callOff: () => void } | undefined;

  constructor(options: { clock: Clock; flushMs: number; head: number; counts: RouterCounts }) {
    this.#clock = options.clock;
    this.#flushMs = options.flushMs;
    this.#head = options.head;
    this.#counts = options.counts;
  }

  /** Everything up to this position was handed to the audiences. */
  get head(): number {
    return this.#head;
  }

  /** How many audiences there are. */
  get audiences(): number {
    return this.#audiences.size;
  }

  /** How many topics anybody live holds. */
  get topics(): number {
    return this.#byTopic.size;
  }

  /**
   * Makes `member` live: it has been served up to `cursor`. Who asked for a pace has an audience with those who asked for
   * the same, and may have left another just now with progress outstanding, which goes along. Who may not see every task
   * has one with those who may see the same.
   */
  join(
    member: Member,
    held: Held,
    codec: Codec,
    cursor: number,
    { paceMs = 0, scope }: { readonly paceMs?: number; readonly scope?: Scope | undefined } = {},
  ): void {
    const sorted = [...held.keys()].sort();
    const key = `${codec.name} ${paceMs} ${keyOf(sorted, scope)}`;
    let audience = this.#audiences.get(key);
    if (audience === undefined) {
      audience = new Audience(
        { key, topics: new Set(sorted), codec, paceMs, scope, room: this.#room },
        this.#head,
      );
      audience.progressDueMs = member.pacedAtMs + paceMs;
      this.#audiences.set(key, audience);
      for (const topic of sorted) {
        const holders = this.#byTopic.get(topic) ?? new Holders();
        holders.add(audience);
        this.#byTopic.set(topic, holders);
        this.#name(topic);
      }
    }
    const left = this.#outstanding.get(member);
    this.#outstanding.delete(member);
    const known = left?.upTo === this.#head
      ? heldOf(left, new Interest(held, scope), cursor)
      : { cursor, upTo: this.#head };
    const owed = cursor < this.#head ? known : undefined;
    audience.join(member, cursor, this.#head, owed);
    this.#homes.set(member, audience);
    if (owed === undefined) return;
    this.#dirty.add(audience);
    this.#wakeAt(audience.nextMs);
  }

  /** How far a live member was told of removals; as far as there were any where it is not live. */
  toldOf(member: Member): Told {
    const audience = this.#homes.get(member);
    const hasMore = audience?.dirty === true || audience?.owes === true;
    return { at: this.cursorOf(member) ?? this.#head, count: hasMore ? 0 : this.removals.count };
  }

  /** Whether all that a live member was not written yet is progress, which its pace has wait. */
  waits(member: Member): boolean {
    return this.#homes.get(member)?.waits(member) === true;
  }

  /** The position up to which a live member has been served; undefined where it is not live. */
  cursorOf(member: Member): number | undefined {
    return this.#homes.get(member)?.cursorOf(member, this.#head);
  }

  /** Takes `member` out of its audience. */
  leave(member: Member): void {
    const audience = this.#homes.get(member);
    if (audience === undefined) return;
    const outstanding = audience.outstanding(member, this.#head);
    if (outstanding !== undefined) this.#outstanding.set(member, outstanding);
    audience.leave(member);
    this.#left(member, audience);
  }

  /** Hands out what a batch of the log up to `head` had to tell, and flushes whoever is due. */
  publish(deliveries: readonly Delivery[], head: number, removed: readonly TaskNames[] = []): void {
    if (this.#audiences.size > 0) { for (const delivery of deliveries) this.#deliver(delivery); }
    if (removed.length > 0) {
      this.removals.note(removed, head);
      for (const task of removed) {
        for (const audience of this.#byTopic.get(LIST)?.of(task) ?? []) {
          audience.remove(task.taskId, head);
          this.#dirty.add(audience);
        }
      }
    }
    this.#head = Math.max(this.#head, head);
    this.#tellLost(deliveries);
    this.#flushDue(false);
  }

  /**
   * Starts over after the projection was built anew: nothing pending is worth sending, and all members leave.
   * Returns how far each had been served. `isWhole`: no task had left memory before.
   */
  reset(head: number, isWhole: boolean): ReadonlyMap<Member, number> {
    const served = new Map<Member, number>();
    for (const [member, audience] of this.#homes) served.set(member, audience.cursorOf(member, this.#head));
    for (const member of served.keys()) this.leave(member);
    this.#dirty.clear();
    this.removals.reset(head, isWhole);
    this.#head = head;
    return served;
  }

  /** Flushes everything now. */
  flushAll(): void {
    for (const audience of [...this.#dirty]) this.#flush(audience, false);
  }

  /** Calls off the timer: what is pending waits for the next `publish`. */
  stop(): void {
    this.#timer?.callOff();
    this.#timer = undefined;
  }

  #deliver(delivery: Delivery): void {
    const interested = new Map<Audience, Wanted>();
    if (delivery.progress !== undefined) this.#mark(interested, delivery, "progress");
    if (delivery.status !== undefined) {
      this.#mark(interested, delivery, "status");
      for (const audience of this.#byTopic.get(LIST)?.of(delivery) ?? []) {
        interestOf(interested, audience).list = true;
      }
      for (const audience of this.#losing(LIST, delivery)) {
        audience.add({ delivery, progress: false, status: false, list: false, lost: true, whole: false });
        this.#dirty.add(audience);
      }
    }
    for (const [audience, interest] of interested) {
      const part: Part = { delivery, ...interest, whole: false };
      audience.add(part);
      this.#dirty.add(audience);
    }
  }

  /** Whoever held a task by its id until it went out of sight gets what came before, and is told. */
  #tellLost(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) {
      const { taskId, formerTags } = delivery;
      if (formerTags === undefined) continue;
      const losing = new Set<Audience>();
      for (const topic of this.#naming.get(taskId) ?? []) {
        for (const audience of this.#losing(topic, delivery)) losing.add(audience);
      }
      for (const audience of losing) {
        if (audience.dirty) this.#flush(audience, false);
        for (const member of [...audience.members]) member.lost(taskId);
      }
    }
  }

  #name(topic: string): void {
    const taskId = namedIn(topic);
    if (taskId === undefined) return;
    const topics = this.#naming.get(taskId) ?? new Set();
    this.#naming.set(taskId, topics.add(topic));
  }

  #unname(topic: string): void {
    const taskId = namedIn(topic);
    const topics = this.#naming.get(taskId ?? "");
    if (topics?.delete(topic) === true && topics.size === 0) this.#naming.delete(taskId ?? "");
  }

  /** Those who hold a topic and out of whose sight a task goes. */
  #losing(topic: string, delivery: Delivery): ReadonlySet<Audience> {
    const { taskId, formerTags } = delivery;
    if (formerTags === undefined) return NONE;
    const sawIt = this.#byTopic.get(topic)?.of({ taskId, tags: formerTags }) ?? [];
    return new Set(Iterator.from(sawIt).filter((audience) => audience.loses(delivery)));
  }

  #mark(interested: Map<Audience, Wanted>, delivery: Delivery, facet: "progress" | "status"): void {
    for (const topic of topicsOf(facet, delivery.taskId, delivery.tags)) {
      const holders = this.#byTopic.get(topic);
      if (holders === undefined) continue;
      const { key, about = key === undefined ? delivery : undefined } = delivery;
      for (const audience of about === undefined ? holders.all() : holders.of(about)) {
        interestOf(interested, audience)[facet] = true;
      }
    }
  }

  /** Flushes whoever is due; `haveWaited` where they had to wait for it. */
  #flushDue(haveWaited: boolean): void {
    const now = this.#clock.elapsed();
    let next = Infinity;
    for (const audience of this.#dirty) {
      const due = audience.nextMs;
      if (due <= now) this.#flush(audience, audience.isPatient, haveWaited);
      else next = Math.min(next, due);
    }
    this.#wakeAt(next);
  }

  #wakeAt(dueMs: number): void {
    if (dueMs === Infinity || (this.#timer !== undefined && this.#timer.dueMs <= dueMs)) return;
    this.stop();
    const callOff = this.#clock.after(Math.max(0, dueMs - this.#clock.elapsed()), () => {
      this.#timer = undefined;
      this.#flushDue(true);
    });
    this.#timer = { dueMs, callOff };
  }

  #flush(audience: Audience, patient: boolean, hasWaited = false): void {
    this.#counts.around(() => this.#flushNow(audience, patient, hasWaited));
  }

  #flushNow(audience: Audience, patient: boolean, hasWaited: boolean): void {
    this.#dirty.delete(audience);
    const [nowMs, elapsedMs] = [this.#clock.now(), this.#clock.elapsed()];
    audience.progressDueMs = elapsedMs + audience.paceMs;
    const waitedAlone = hasWaited && audience.waiting === 1;
    const { batch, writes, lagged } = audience.flush(this.#head, { nowMs, elapsedMs }, patient);
    audience.dueMs = this.#nextDueMs(audience.dueMs, elapsedMs, waitedAlone);
    if (audience.owes) this.#dirty.add(audience);
    for (const { member, cursor } of lagged) {
      this.#left(member, audience);
      member.lagged(cursor);
    }
    this.#counts.flushes++;
    this.#counts.writes += writes;
    this.#counts.frames += writes * batch.frames;
    this.#counts.bytes += writes * batch.bytes.length;
    if (batch.oldestAtMs !== undefined && writes > 0) this.#counts.lag(Math.max(0, nowMs - batch.oldestAtMs));
  }

  /**
   * The beat goes on from when a flush was due, not from when somebody came round to it: else events that come as often as
   * flushes do would each wait, and longer every time. And it yields a little to an event that had to wait
   * alone: else all that follow one that was late would wait as long.
   */
  #nextDueMs(dueMs: number, nowMs: number, waitedAlone: boolean): number {
    const nextMs = (nowMs - dueMs < this.#flushMs ? dueMs : nowMs) + this.#flushMs;
    return waitedAlone ? nextMs - Math.min(YIELD_MS, this.#flushMs) : nextMs;
  }

  /** Called by whoever learns that a member is gone, the audience itself having let it go. */
  #left(member: Member, audience: Audience): void {
    this.#homes.delete(member);
    if (audience.size > 0) return;
    this.#audiences.delete(audience.key);
    this.#dirty.delete(audience);
    for (const topic of audience.topics) {
      const holders = this.#byTopic.get(topic);
      holders?.delete(audience);
      if (holders?.isEmpty !== true) continue;
      this.#byTopic.delete(topic);
      this.#unname(topic);
    }
  }
}

/** The task that a topic names, or whose channel it is. */
function namedIn(topic: string): string | undefined {
  const parsed = parseTopic(topic);
  return parsed?.kind === "task" || parsed?.kind === "channel" ? parsed.taskId : undefined;
}

function interestOf(interested: Map<Audience, Wanted>, audience: Audience): Wanted {
  let interest = interested.get(audience);
  if (interest === undefined) {
    interest = { progress: false, status: false, list: false };
    interested.set(audience, interest);
  }
  return interest;
}
