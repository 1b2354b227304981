import type { TaskNames } from "../access/scope.ts";
import {
  type Delivery,
  namesOf,
  payloadOf,
  progressFrame,
  statusFrame,
  tagsOf,
} from "../projection/delivery.ts";
import { channelDelivery, frameType } from "../projection/channel_delivery.ts";
import type { Past } from "../projection/past.ts";
import type { Projection } from "../projection/projection.ts";
import { progressNow, statusNow, type TaskRecord } from "../projection/task_table.ts";
import { concat, encodeJson, type Payload } from "../protocol/codec.ts";
import type { TaskStatusData } from "../protocol/server_frames.ts";
import {
  type Facet,
  isChannel,
  parseTopic,
  printTopic,
  taskOf,
  type Topic,
  topicsOf,
} from "../protocol/topics.ts";

/** A frame of a snapshot, encoded, and what it is about: `list` is a `task_list` frame. */
export type SnapshotFrame =
  | {
    readonly payload: Uint8Array;
    readonly facet: Facet;
    readonly taskId: string;
    readonly tags: readonly string[];
  }
  | { readonly payload: Uint8Array; readonly facet: "list" };

/** Some of a snapshot's frames; `done` when there are no more. */
export type SnapshotChunk = { readonly frames: readonly SnapshotFrame[]; readonly done: boolean };

/** Whether a frame of a snapshot is for whoever holds `topics`. */
export function isFor(frame: SnapshotFrame, topics: ReadonlySet<string>): boolean {
  return frame.facet === "list"
    ? topics.has("task:list")
    : topicsOf(frame.facet, frame.taskId, frame.tags).some((topic) => topics.has(topic));
}

/** The frame for a codec. Its position is no cursor: the frames of a snapshot come in no order. */
export function payloadOfSnapshot(frame: SnapshotFrame): Payload {
  const { payload, facet } = frame;
  const type = "taskId" in frame && isChannel(frame.taskId)
    ? frameType(frame.taskId)
    : `task_${facet}` as const;
  return { bytes: payload, type, cursor: undefined };
}

/** Something has to be looked up first. */
const NOT_YET: SnapshotChunk = { frames: [], done: false };
const CHUNK_TASKS = 100;
/** How the JSON of a frame ends that is of a snapshot. */
const OF_SNAPSHOT = new TextEncoder().encode(`,"snapshot":true}`);
/** A chunk ends when its frames reach this many bytes. */
const CHUNK_BYTES = 262_144;

/**
 * The present state of every task that `topics` match, as of position `at`, a chunk at a time, so that a slow reader
 * costs an iterator and no list. What changed after `at` is left out: whoever walks this follows the log from `at`
 * and meets it there. Tasks named by id are told whatever their state, the others while they have not ended; none that
 * `sees` says no to.
 */
export class SnapshotWalk {
  readonly #projection: Projection;
  readonly #topics: ReadonlySet<string>;
  readonly #at: number;
  readonly #sees: (task: TaskNames) => boolean;
  readonly #lastOrder: number;
  readonly #named: string[] = [];
  /** Channels whose values are still to come, and what is left of those of the first. */
  readonly #channels: string[] = [];
  #values: Iterator<Delivery> | undefined;
  readonly #namedAll: ReadonlySet<string>;
  readonly #records: Iterator<TaskRecord>;
  /** The first of the named tasks, once it was asked of the log. */
  #looked: { readonly id: string; readonly past: Past | undefined } | undefined;

  constructor(
    projection: Projection,
    { topics, at, sees }: {
      readonly topics: readonly string[];
      readonly at: number;
      /** Whether a task may be seen: asked for each, since that may change before the walk is over. */
      readonly sees: (task: TaskNames) => boolean;
    },
  ) {
    this.#projection = projection;
    this.#sees = sees;
    this.#topics = new Set(topics);
    this.#at = at;
    this.#lastOrder = projection.tasks.arrivals;
    const parsed = topics.flatMap((topic) => parseTopic(topic) ?? []);
    for (const topic of parsed) {
      if (topic.kind === "task" && !this.#named.includes(topic.taskId)) this.#named.push(topic.taskId);
      if (topic.kind === "channel") this.#channels.push(printTopic(topic));
    }
    this.#namedAll = new Set(this.#named);
    this.#records = this.#unnamed(parsed);
  }

  /**
   * The next chunk; a promise, of an empty one, only where a named task has to be asked of the log first. After a
   * rejection the same is asked again: nothing is lost.
   */
  next(nowMs: number): SnapshotChunk | Promise<SnapshotChunk> {
    const frames: SnapshotFrame[] = [];
    for (let id = this.#named[0]; id !== undefined; id = this.#named[0]) {
      const record = this.#projection.tasks.get(id);
      if (record !== undefined) {
        frames.push(...this.#framesOf(record));
      } else if (this.#projection.tasks.mayBeEvicted(id)) {
        if (this.#looked?.id !== id) return frames.length > 0 ? { frames, done: false } : this.#look(id);
        frames.push(...this.#framesOfPast(this.#looked.past));
      }
      this.#named.shift();
      if (bytesOf(frames) >= CHUNK_BYTES) return { frames, done: false };
    }
    for (let topic = this.#channels[0]; topic !== undefined; topic = this.#channels[0]) {
      const settling = this.#values === undefined ? this.#projection.settle([topic]) : undefined;
      if (settling !== undefined) {
        return frames.length > 0 ? { frames, done: false } : settling.then(() => NOT_YET);
      }
      this.#values ??= this.#projection.channels.retained(topic)?.[Symbol.iterator]();
      if (this.#values === undefined) {
        return frames.length > 0 ? { frames, done: false } : this.#lookAtChannel(topic);
      }
      if (!this.#takeValues(this.#values, frames)) return { frames, done: false };
      this.#values = undefined;
      this.#channels.shift();
    }
    return this.#walk(frames, nowMs);
  }

  /** Whether these were all. */
  #takeValues(values: Iterator<Delivery>, frames: SnapshotFrame[]): boolean {
    let bytes = bytesOf(frames);
    for (let next = values.next(); next.done !== true; next = values.next()) {
      const { taskId, seq, progress, about } = next.value;
      if (progress === undefined || !this.#isPast(seq)) continue;
      const aboutTask = taskOf(taskId);
      if (aboutTask !== undefined && !this.#sees(about ?? { taskId: aboutTask, tags: [] })) continue;
      const payload = concat([payloadOf(progress).subarray(0, -1), OF_SNAPSHOT]);
      frames.push({ payload, facet: "progress", taskId, tags: [] });
      bytes += payload.length;
      if (bytes >= CHUNK_BYTES) return false;
    }
    return true;
  }

  async #lookAtChannel(topic: string): Promise<SnapshotChunk> {
    const updates = await this.#projection.lastsFromLog(topic);
    const conflation = this.#projection.namespaces.conflationOf(topic);
    const taskId = taskOf(topic);
    const from = updates[0]?.seq ?? 0;
    const whose = taskId === undefined
      ? undefined
      : (await this.#projection.whose(new Map([[taskId, from]]))).get(taskId);
    this.#values = updates.values().map((update) =>
      channelDelivery(update, conflation, whose?.at(update.seq))
    );
    return NOT_YET;
  }

  #walk(frames: SnapshotFrame[], nowMs: number): SnapshotChunk {
    const listed: TaskStatusData[] = [];
    let done = false;
    let listedBytes = 0;
    for (let tasks = 0; tasks < CHUNK_TASKS && !done; tasks++) {
      if (bytesOf(frames) + listedBytes >= CHUNK_BYTES) break;
      const next = this.#records.next();
      if (next.done) {
        done = true;
      } else {
        const record: TaskRecord = next.value;
        if (!this.#namedAll.has(record.id)) frames.push(...this.#framesOf(record));
        const isListed = this.#topics.has("task:list") && this.#isPast(record.statusSeq);
        if (isListed && this.#sees(namesOf(record.state))) {
          const status = statusNow(record);
          listedBytes += payloadOf(status).length;
          if (status.frame.type === "task_status") listed.push(status.frame.data);
        }
      }
    }
    return { frames: [...listOf(listed, this.#at, nowMs), ...frames], done };
  }

  /** The tasks that topics match without naming them, each once. */
  *#unnamed(topics: readonly Topic[]): Generator<TaskRecord> {
    const { tasks } = this.#projection;
    if (topics.some((topic) => topic.kind === "all" || topic.kind === "list")) {
      for (const record of tasks.active()) {
        if (record.order > this.#lastOrder) return;
        yield record;
      }
      return;
    }
    const tags = topics.flatMap((topic) => topic.kind === "tag" ? [topic.tag] : []);
    const distinct = [...new Set<string>(tags)];
    for (const [i, tag] of distinct.entries()) {
      for (const record of tasks.tagged(tag)) {
        if (record.order > this.#lastOrder || !tasks.isActive(record.id)) continue;
        if (!distinct.slice(0, i).some((earlier) => tagsOf(record.state).includes(earlier))) yield record;
      }
    }
  }

  /** The frames of one task that these topics are to get, earlier position first. */
  #framesOf(record: TaskRecord): SnapshotFrame[] {
    const { state, progressSeq, statusSeq } = record;
    const about = namesOf(state);
    const progress = (): Uint8Array => payloadOf(progressNow(record));
    const status = (): Uint8Array => payloadOf(statusNow(record));
    return this.#wanted(about, { progressSeq, statusSeq, progress, status });
  }

  /** The same of a task that only the log knows. */
  #framesOfPast(past: Past | undefined): SnapshotFrame[] {
    if (past === undefined) return [];
    const { state, progressSeq, progressTimeMs, statusSeq, statusTimeMs } = past;
    const about = namesOf(state);
    const progress = (): Uint8Array =>
      encodeJson({ ...progressFrame(state, undefined, progressSeq, progressTimeMs, true), snapshot: true });
    const status = (): Uint8Array =>
      encodeJson({ ...statusFrame(state, undefined, statusSeq, statusTimeMs), snapshot: true });
    return this.#wanted(about, { progressSeq, statusSeq, progress, status });
  }

  #wanted(
    about: TaskNames,
    task: {
      readonly progressSeq: number;
      readonly statusSeq: number;
      readonly progress: () => Uint8Array;
      readonly status: () => Uint8Array;
    },
  ): SnapshotFrame[] {
    const frames: SnapshotFrame[] = [];
    if (!this.#sees(about)) return frames;
    if (this.#isPast(task.progressSeq) && this.#wants("progress", about)) {
      frames.push({ ...about, facet: "progress", payload: task.progress() });
    }
    if (this.#isPast(task.statusSeq) && this.#wants("status", about)) {
      frames.push({ ...about, facet: "status", payload: task.status() });
    }
    return task.statusSeq < task.progressSeq ? frames.reverse() : frames;
  }

  #isPast(seq: number): boolean {
    return seq > 0 && seq <= this.#at;
  }

  #wants(
    facet: Facet,
    { taskId, tags }: TaskNames,
  ): boolean {
    return topicsOf(facet, taskId, tags).some((topic) => this.#topics.has(topic));
  }

  /** Asks the log for a task as it was at `at`: what it has beyond, whoever walks this meets later. */
  async #look(id: string): Promise<SnapshotChunk> {
    const last = await this.#projection.stateFromLog(id);
    const newest = last === undefined
      ? 0
      : Math.max(...Object.values(last.state.greatest).map(({ seq }) => seq));
    const past = newest <= this.#at ? last : await this.#projection.stateAt(id, this.#at);
    this.#looked = { id, past };
    return NOT_YET;
  }
}

function listOf(tasks: readonly TaskStatusData[], at: number, nowMs: number): SnapshotFrame[] {
  if (tasks.length === 0) return [];
  const data = { tasks, removed: [] };
  const payload = encodeJson({ type: "task_list", id: `list_${at}`, timestamp: nowMs, data });
  return [{ payload, facet: "list" }];
}

function bytesOf(frames: readonly SnapshotFrame[]): number {
  let bytes = 0;
  for (const { payload } of frames) bytes += payload.length;
  return bytes;
}
