import { type Appended, type EventLog, LogError, type NewEntry } from "../log/event_log.ts";
import type { Projection } from "../projection/projection.ts";
import type { TaskRecord, TaskTable } from "../projection/task_table.ts";
import type { Clock } from "../router/router.ts";
import { heardOf, isAtWork, isHeard, isStale } from "../task/fold.ts";
import { heardAgain, patienceMs, type Silence, silentSince, withPast } from "../task/silence.ts";
import { eventSubject, parseRecord, type TaskEvent } from "../task/worker_event.ts";
import { Listening } from "./listening.ts";

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

/** What is to be said of a task. */
type Verdict = {
  readonly record: TaskRecord;
  readonly heard: TaskEvent | undefined;
  readonly isLost: boolean;
};

/** How often tasks are looked at: this part of the time for which they may be silent, within these bounds. */
const LOOKS = { share: 1 / 10, leastMs: 50, mostMs: 1_000 };
/** So many tasks are looked at in one go: some 2 ms. */
const TASKS_A_LOOK = 20_000;
/** So much is said after one look. */
const SAID_A_LOOK = 500;
/** So many histories are read after one look. */
const READ_A_LOOK = 20;
/** From so many events of a task its usual gap is learnt. */
const LEARNT_EVENTS = 64;
/** When what was said, and is not in the log as far as it was followed, is said again, ms. */
const AGAIN_MS = 10_000;
/** How long nothing is said after the log refused, ms. */
const REFUSED_MS = 30_000;

const encoder = new TextEncoder();

/**
 * Looks after the tasks at work: of one that has been silent for longer than it may it appends `stale`, and of one that stays
 * so, where that is asked for, `failed`. All gateways do; the log takes it once. Time in which nothing could be heard does
 * not count, so that neither an outage nor a process that stood still makes anything stale.
 */
export class Liveness implements AsyncDisposable {
  readonly #options: LivenessOptions;
  readonly #listening: Listening;
  readonly #everyMs: number;
  /** Gateways come one after the other, so that mostly the first one speaks. */
  readonly #delayMs: number;
  /** What was said of which task, and when. */
  readonly #said = new Map<string, { readonly id: string; readonly atMs: number }>();
  #table: TaskTable;
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
      this.#quietUntilMs = this.#listening.elapsedMs + REFUSED_MS;
      if (error instanceof LogError && error.code !== "refused") return; // it is out of reach: another time
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
      if (verdict === undefined) continue;
      // Nobody has listened to it for long: whether it always is so silent is in the log.
      if (next.value.silence?.hasPast !== true || verdict.isLost) due.push(verdict);
      else if (unlearnt.length < READ_A_LOOK) unlearnt.push(next.value);
    }
    return { due, unlearnt };
  }

  #newRound(): void {
    this.#table = this.#options.projection.tasks;
    this.#round = this.#table.active();
    this.#stale = this.#staleInRound;
    this.#staleInRound = 0;
    const { elapsedMs } = this.#listening;
    for (const [taskId, { atMs }] of this.#said) if (elapsedMs - atMs > AGAIN_MS) this.#said.delete(taskId);
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
    if (stale === undefined || !isStale(state)) {
      const dueMs = silence.sinceMs + patienceMs(silence, staleAfterMs) + this.#delayMs;
      return elapsedMs < dueMs ? undefined : { record, heard, isLost: false };
    }
    this.#staleInRound++;
    if (reapAfterMs === 0) return undefined;
    const staleMs = silence.staleMs ?? this.#metMs(stale);
    if (silence.staleMs === null) record.silence = { ...silence, staleMs };
    return elapsedMs < staleMs + reapAfterMs + this.#delayMs ? undefined : { record, heard, isLost: true };
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
    const times = events.filter((event) => event.attempt === attempt && isHeard(event)).map(({ time }) =>
      time
    );
    if (record.silence === silence) record.silence = withPast(silence, times);
  }

  async #say(due: readonly Verdict[]): Promise<void> {
    const entries: NewEntry[] = [];
    const isCurrent = !due.some(({ isLost }) => isLost) || await this.#isCurrent();
    for (const verdict of due) {
      if (!verdict.isLost || isCurrent) entries.push(...await this.#entryOf(verdict));
    }
    if (entries.length > 0) await this.#options.append(entries);
  }

  /** Whether all that the log has was followed: who was heard of a moment ago is not lost. */
  async #isCurrent(): Promise<boolean> {
    const { log, projection } = this.#options;
    const { epoch, lastSeq } = await log.extent();
    return epoch === projection.epoch && lastSeq <= projection.head;
  }

  /** What is to be appended; nothing where it was a moment ago, and is on its way here. */
  async #entryOf({ record: { state }, heard, isLost }: Verdict): Promise<NewEntry[]> {
    const { elapsedMs } = this.#listening;
    const { id: taskId, top: { attempt }, greatest } = state;
    const kind = isLost ? "failed" : "stale";
    // No event of a worker can have this id: there is a space in it.
    const id = `${taskId} ${kind} ${attempt} ${heard?.seq ?? 0}`;
    const said = this.#said.get(taskId);
    const isAgain = said?.id === id;
    if (isAgain && elapsedMs - said.atMs < AGAIN_MS) return [];
    this.#said.set(taskId, { id, atMs: elapsedMs });
    const subject = eventSubject(taskId, kind);
    // What we know may be gone from the log by age, or a straggler may lie behind it: then it has to be asked.
    const last = isAgain ? await this.#lastOf(taskId, subject) : greatest[kind]?.seq ?? 0;
    const { head } = this.#options.projection;
    const body = isLost ? lostBody(attempt, this.#options) : { attempt, through: head };
    return [{ subject, body: encoder.encode(JSON.stringify(body)), id, last }];
  }

  async #lastOf(taskId: string, subject: string): Promise<number> {
    let last = 0;
    for await (const entries of this.#options.log.lastPerSubject(`task.${taskId}.>`)) {
      for (const entry of entries) if (entry.subject === subject) last = entry.seq;
    }
    return last;
  }
}

function lostBody(
  attempt: number,
  { staleAfterMs, reapAfterMs }: Pick<LivenessOptions, "staleAfterMs" | "reapAfterMs">,
): Readonly<Record<string, unknown>> {
  const message = `nothing was heard of it for ${Math.round((staleAfterMs + reapAfterMs) / 1_000)} s`;
  return { attempt, reason: "lost", error: { message, code: "lost" } };
}
