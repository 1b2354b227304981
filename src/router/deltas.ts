import type { Room } from "./room.ts";
import type { ProgressData, ServerFrame } from "../protocol/server_frames.ts";

type FrameOf<T extends ServerFrame["type"]> = Extract<ServerFrame, { type: T }>;
/** What was told last of a task's counters, and by the event at which position. */
type Base = { readonly at: number; readonly progress: ProgressData };

/** Of so many tasks it is kept what was told last; of any other the next frame is whole. */
const MOST_TASKS = 10_000;
/** What is kept of a task weighs so much, in bytes, and two for each character. */
const BASE_BYTES = 300;
/** So much memory all audiences of a gateway have for it together, unless told otherwise: each may be of one connection. */
export const DELTA_BYTES = 67_108_864;
/** So long those who have joined are sent whole frames while others are sent changes, ms; then all begin anew together. */
const APART_MS = 5_000;

/**
 * What the members of an audience were told last of each task's counters, so that they can be told what changed since. All but
 * those who joined lately, or were written a batch of their own, were told the same: these are sent whole frames until all are
 * sent one of each task, and have the same again.
 */
export class Deltas {
  readonly #bases = new Map<string, Base>();
  readonly #apart = new Set<object>();
  readonly #room: Room;
  #sinceMs = -Infinity;

  constructor(room: Room) {
    this.#room = room;
  }

  /** Has a member sent whole frames for now: it was not told what the others were. */
  setApart(member: object): void {
    this.#apart.add(member);
  }

  /** Whether a member is sent whole frames for now. */
  isApart(member: object): boolean {
    return this.#apart.has(member);
  }

  /** Lets a member go. */
  leave(member: object): void {
    this.#apart.delete(member);
  }

  /** Begins a flush to `members`: where it is time that those apart join the others, all begin anew. */
  begin(members: number, elapsedMs: number): void {
    const areAllApart = this.#apart.size >= members;
    if (this.#apart.size === 0 || (!areAllApart && elapsedMs - this.#sinceMs < APART_MS)) return;
    this.clear();
    this.#apart.clear();
    this.#sinceMs = elapsedMs;
  }

  /** Forgets what was told: whole frames come next. */
  clear(): void {
    for (const taskId of this.#bases.keys()) this.#forget(taskId);
  }

  /** A frame of progress as what changed; itself where it has to be whole: of another attempt, or where no base is known. */
  shrink(frame: FrameOf<"task_progress">, at: number): FrameOf<"task_progress" | "progress_delta"> {
    const { type: _, data: { task_id, progress }, ...rest } = frame;
    const base = this.#bases.get(task_id);
    this.#note(task_id, { at, progress });
    if (base === undefined || base.progress.attempt !== progress.attempt) return frame;
    const data = { task_id, base: base.at, progress: changed(base.progress, progress) };
    return { type: "progress_delta", ...rest, data };
  }

  /** Notes what a status told: the whole of the counters. Of a task that has ended no more is to come. */
  told({ data: { task_id, progress } }: FrameOf<"task_status">, at: number, hasEnded: boolean): void {
    if (hasEnded) this.#forget(task_id);
    else this.#note(task_id, { at, progress });
  }

  /** The task told longest ago goes first; and nothing is kept of this one where there is no room after all. */
  #note(taskId: string, base: Base): void {
    this.#forget(taskId);
    if (this.#bases.size >= MOST_TASKS) this.#forgetOldest();
    const bytes = weightOf(base);
    while (!this.#room.take(bytes)) {
      if (this.#bases.size === 0) return;
      this.#forgetOldest();
    }
    this.#bases.set(taskId, base);
  }

  #forgetOldest(): void {
    for (const oldest of this.#bases.keys()) return this.#forget(oldest);
  }

  #forget(taskId: string): void {
    const base = this.#bases.get(taskId);
    if (base === undefined) return;
    this.#bases.delete(taskId);
    this.#room.give(weightOf(base));
  }
}

function weightOf({ progress: { current, status } }: Base): number {
  return BASE_BYTES + 2 * ((current?.length ?? 0) + (status?.length ?? 0));
}

/** The members of `now` that are others than in `before`. */
function changed(before: ProgressData, now: ProgressData): Partial<ProgressData> {
  const members = Object.entries(now).filter(([name, value]) => before[name as keyof ProgressData] !== value);
  return Object.fromEntries(members);
}
