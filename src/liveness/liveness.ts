import { type Appended, type EventLog, LogError, type NewEntry } from "../log/event_log.ts";
import type { Projection } from "../projection/projection.ts";
import type { TaskRecord, TaskTable } from "../projection/task_table.ts";
import type { Clock } from "../router/router.ts";
import { gapsOf, heardOf, isAtWork, isStale } from "../task/fold.ts";
import { heardAgain, patienceMs, type Silence, silentSince, withPast } from "../task/silence.ts";
import { eventSubject, parseRecord, type TaskEvent } from "../task/worker_event.ts";
import { Listening } from "./listening.ts";
import { entryOf, idOf, kindOf, type Verdict } from "./verdict.ts";

/** What liveness is judged with. */
export type LivenessOptions = {
  readonly log: EventLog;
  readonly projection: Projection;
  /** Appends; rejects with a LogError. */
  readonly append: (entries: readonly NewEntry[]) => Promise<readonly Appended[]>;
  readonly clock: Clock;
  readonly random: () => number;
  /** How long any task may be silent, ms. */
  readonly staleAfterMs: number;
  /** How long one may be stale until it has failed, ms; 0: for ever. */
  readonly reapAfterMs: number;
  /** Whether the log is in reach: while it is not, silence says nothing. */
  readonly isListening: () => boolean;
  /** Told once that nothing can be said, and why; and once that it can be again. */
  readonly onTrouble: (error: unknown) => void;
};

/** How often tasks are looked at: this part of the time for which they may be silent, within these bounds. */
const LOOKS = { share: 1 / 10, leastMs: 50, mostMs: 1_000 };
/** So many tasks are looked at in one go: some 2 ms. */
const TASKS_A_LOOK = 20_000;
/** So much is said after one look. */
const SAID_A_LOOK = 500;
/** So many histories are read after one look. */
const READ_A_LOOK = 20;
/** So many tasks are asked of the log after one look, of which others said something else than we know. */
const ASKED_A_LOOK = 20;
/** How often it is looked, and for how long at most, whether what the log has was followed, ms. */
const CURRENT = { everyMs: 20, mostMs: 5_000 };
/** From so many events of a task its usual gap is learnt. */
const LEARNT_EVENTS = 64;
/** When what was said, and is not in the log as far as it was followed, is said again, ms. */
const AGAIN_MS = 10_000;
/** How long nothing is said after the log refused, ms. */
const REFUSED_MS = 30_000;

/**
 * Looks after the tasks at work: of one that has been silent for longer than it may it appends `stale`, and of one that stays
 * so, where that is asked for, `failed`. All gateways do; the log takes it once. Time in which nothing could be heard does
 * not count, so that neither an outage nor a process that stood still makes anything stale; and who has just started listens
 * first, as workers may have been cut off too. Nothing is said before all that the log has was followed.
 */
export class Liveness implements AsyncDisposable {
  readonly #options: LivenessOptions;
  readonly #listening: Listening;
  readonly #everyMs: number;
  /** Gateways come one after the other, so that mostly the first one speaks. */
  readonly #delayMs: number;
  /** What was said of which task, and when, until it need not be said any more. */
  readonly #said = new Map<string, { readonly id: string; readonly atMs: number }>();
  #table: TaskTable;
  /** Since when the present state is listened to. */
  #fromMs = 0;
  #round: Iterator<TaskRecord>;
  #staleInRound = 0;
  #stale = 0;
  #quietUntilMs = 0;
  #isTroubled = false;
  #isOver = false;
  #callOff: () => void = () => {};
  #looking: Promise<void> = Promise.resolve();

  constructor(options: LivenessOptions) {
    const { clock, random, staleAfterMs, projection } = options;
    this.#options = options;
    this.#everyMs = Math.min(Math.max(staleAfterMs * LOOKS.share, LOOKS.leastMs), LOOKS.mostMs);
    this.#listening = new Listening(() => clock.elapsed(), 2 * this.#everyMs);
    this.#delayMs = random() * this.#everyMs;
    this.#table = projection.tasks;
    this.#round = this.#table.active();
  }

  /** How many tasks were stale when all were last looked at. */
  get stale(): number {
    return this.#stale;
  }

  /** Begins to look, and goes on until it is disposed of. */
  start(): void {
    this.#callOff = this.#options.clock.after(this.#everyMs, () => {
      this.#looking = this.#look().finally(() => !this.#isOver && this.start());
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    this.#callOff();
    await this.#looking;
  }

  async #look(): Promise<void> {
    const { isListening, onTrouble } = this.#options;
    const counts = isListening();
    this.#listening.look(counts);
    if (!counts) return;
    try {
      const { due, unlearnt } = this.#judgeSome();
      for (const record of unlearnt) await this.#learn(record);
      if (this.#listening.elapsedMs < this.#quietUntilMs) return;
      await this.#say(due);
      this.#isTroubled = false;
    } catch (error) {
      if (error instanceof LogError && error.code !== "refused") return; // it is out of reach: another time
      this.#quietUntilMs = this.#listening.elapsedMs + REFUSED_MS;
      if (!this.#isTroubled) onTrouble(error);
      this.#isTroubled = true;
    }
  }

  /** Goes on with the round where the last look ended. */
  #judgeSome(): { readonly due: readonly Verdict[]; readonly unlearnt: readonly TaskRecord[] } {
    const { projection } = this.#options;
    if (projection.tasks !== this.#table) this.#newRound();
    const due: Verdict[] = [];
    const unlearnt: TaskRecord[] = [];
    for (let i = 0; i < TASKS_A_LOOK && due.length < SAID_A_LOOK; i++) {
      const next = this.#round.next();
      if (next.done === true) {
        this.#newRound();
        break;
      }
      const verdict = this.#judge(next.value);
      if (isStale(next.value.state)) this.#staleInRound++;
      if (verdict === undefined) {
        this.#said.delete(next.value.id);
        continue;
      }
      // Nobody has listened to it for long: whether it always is so silent is in the log.
      if (next.value.silence?.hasPast !== true || verdict.isLost) due.push(verdict);
      else if (unlearnt.length < READ_A_LOOK) unlearnt.push(next.value);
    }
    return { due, unlearnt };
  }

  #newRound(): void {
    const { tasks } = this.#options.projection;
    if (tasks !== this.#table) this.#fromMs = this.#listening.elapsedMs;
    this.#table = tasks;
    this.#round = tasks.active();
    this.#stale = this.#staleInRound;
    this.#staleInRound = 0;
    for (const taskId of this.#said.keys()) if (!tasks.isActive(taskId)) this.#said.delete(taskId);
  }

  #judge(record: TaskRecord): Verdict | undefined {
    const { state } = record;
    if (!isAtWork(state)) {
      if (record.silence?.rests === false) record.silence = { ...record.silence, rests: true };
      return undefined;
    }
    const { elapsedMs } = this.#listening;
    const { staleAfterMs, reapAfterMs } = this.#options;
    const heard = heardOf(state);
    const silence = this.#silenceOf(record, heard ?? state.top);
    const { stale } = state.greatest;
    const leastMs = this.#fromMs + staleAfterMs;
    if (stale === undefined || !isStale(state)) {
      const dueMs = Math.max(silence.sinceMs + patienceMs(silence, staleAfterMs), leastMs);
      return elapsedMs < dueMs + this.#delayMs ? undefined : { record, heard, isLost: false };
    }
    if (reapAfterMs === 0) return undefined;
    const staleMs = silence.staleMs ?? this.#metMs(stale);
    if (silence.staleMs === null) record.silence = { ...silence, staleMs };
    const dueMs = Math.max(staleMs + reapAfterMs, leastMs);
    return elapsedMs < dueMs + this.#delayMs ? undefined : { record, heard, isLost: true };
  }

  #silenceOf(record: TaskRecord, heard: TaskEvent): Silence {
    const { silence } = record;
    if (silence?.seq === heard.seq) return silence;
    const isOld = heard.seq <= this.#options.projection.bootedAt;
    return record.silence = silence === undefined
      ? silentSince(heard, { sinceMs: this.#metMs(heard), hasPast: isOld })
      : heardAgain(silence, heard, this.#metMs(heard));
  }

  /**
   * When an event that was just met for the first time was heard: now, by the clock that listens; one that was in the log
   * when we started, as long ago as the machine's clock says.
   */
  #metMs({ seq, time }: TaskEvent): number {
    const { clock, projection } = this.#options;
    const agoMs = seq <= projection.bootedAt ? Math.max(0, clock.now() - time) : 0;
    return this.#listening.elapsedMs - agoMs;
  }

  /** Looks in the log how often the task is heard of in general: at the beginning of its attempt. */
  async #learn(record: TaskRecord): Promise<void> {
    const { projection } = this.#options;
    const { state: { id, top: { attempt }, greatest: { started } }, silence } = record;
    if (silence === undefined) return;
    const page = await projection.readTask(id, {
      after: started?.attempt === attempt ? started.seq - 1 : 0,
      upTo: silence.seq,
      limit: LEARNT_EVENTS,
    });
    const events = page.entries.flatMap((entry) => {
      const parsed = parseRecord(entry);
      return "event" in parsed ? [parsed.event] : [];
    });
    if (record.silence === silence) record.silence = withPast(silence, gapsOf(events, attempt));
  }

  async #say(due: readonly Verdict[]): Promise<void> {
    const unsaid = due.filter((verdict) => !this.#isOnItsWay(verdict));
    if (unsaid.length === 0) return;
    const lasts = await this.#lastsOf(unsaid);
    if (!await this.#isCurrent()) return;
    const entries = unsaid.flatMap((verdict) => {
      const last = lasts.get(verdict.record.id);
      return last === undefined || !this.#stands(verdict) ? [] : [this.#entryOf(verdict, last)];
    });
    if (entries.length > 0) await this.#options.append(entries);
  }

  /** Whether all that the log has was followed, waiting a little for that: who was heard of a moment ago is not silent. */
  async #isCurrent(): Promise<boolean> {
    const { log, projection, clock } = this.#options;
    const { epoch, lastSeq } = await log.extent();
    for (let waitedMs = 0; !this.#isOver && epoch === projection.epoch; waitedMs += CURRENT.everyMs) {
      if (lastSeq <= projection.head) return true;
      if (waitedMs >= CURRENT.mostMs) return false;
      await new Promise<void>((resolve) => {
        const callOff = clock.after(CURRENT.everyMs, resolve);
        this.#callOff = () => {
          callOff();
          resolve();
        };
      });
    }
    return false;
  }

  /** Whether it is still to be said, by all that was followed since. */
  #stands({ record, heard, isLost }: Verdict): boolean {
    if (this.#options.projection.tasks.get(record.id) !== record) return false;
    const now = this.#judge(record);
    return now !== undefined && now.isLost === isLost && now.heard === heard;
  }

  /** Whether it was said a moment ago. */
  #isOnItsWay(verdict: Verdict): boolean {
    const said = this.#said.get(verdict.record.id);
    return said?.id === idOf(verdict) && this.#listening.elapsedMs - said.atMs < AGAIN_MS;
  }

  #entryOf(verdict: Verdict, last: number): NewEntry {
    const { projection: { head }, staleAfterMs, reapAfterMs } = this.#options;
    this.#said.set(verdict.record.id, { id: idOf(verdict), atMs: this.#listening.elapsedMs });
    return entryOf(verdict, { last, through: head, silentMs: staleAfterMs + reapAfterMs });
  }

  /**
   * By task, where the last record lies of the kind that is to be said. What we know may be gone from the log by age, or a
   * straggler may lie behind it: where it was said before the log is asked, of some tasks at a time.
   */
  async #lastsOf(verdicts: readonly Verdict[]): Promise<ReadonlyMap<string, number>> {
    const lasts = new Map<string, number>();
    let asked = 0;
    for (const verdict of verdicts) {
      const { id, state: { greatest } } = verdict.record;
      const kind = kindOf(verdict);
      if (this.#said.get(id)?.id !== idOf(verdict)) lasts.set(id, greatest[kind]?.seq ?? 0);
      else if (asked++ < ASKED_A_LOOK) lasts.set(id, await this.#lastOf(id, eventSubject(id, kind)));
    }
    return lasts;
  }

  async #lastOf(taskId: string, subject: string): Promise<number> {
    let last = 0;
    for await (const entries of this.#options.log.lastPerSubject(`task.${taskId}.>`)) {
      for (const entry of entries) if (entry.subject === subject) last = entry.seq;
    }
    return last;
  }
}
