import { payloadOf, type Prepared, progressFrame, statusFrame, tagsOf } from "../projection/delivery.ts";
import type { Projection } from "../projection/projection.ts";
import { progressNow, statusNow, type TaskRecord } from "../projection/task_table.ts";
import { encodeJson } from "../protocol/codec.ts";
import type { TaskStatusData } from "../protocol/server_frames.ts";
import { parseTopic, type Topic, topicsOf } from "../protocol/topics.ts";
import { countersEvent, type TaskState } from "../task/fold.ts";

/** Some of a snapshot's frames, encoded; `done` when there are no more. */
export type SnapshotChunk = { readonly payloads: readonly Uint8Array[]; readonly done: boolean };

const CHUNK_TASKS = 100;

/**
 * The present state of every task that `topics` match, as of position `at`, a chunk at a time, so that a slow reader
 * costs an iterator and no list. What changed after `at` is left out: whoever walks this follows the log from `at`
 * and meets it there. Tasks named by id are told whatever their state, the others while they have not ended.
 */
export class SnapshotWalk {
  readonly #projection: Projection;
  readonly #topics: ReadonlySet<string>;
  readonly #at: number;
  readonly #lastOrder: number;
  readonly #named: string[] = [];
  readonly #namedAll: ReadonlySet<string>;
  readonly #records: Iterator<TaskRecord>;

  constructor(projection: Projection, topics: readonly string[], at: number) {
    this.#projection = projection;
    this.#topics = new Set(topics);
    this.#at = at;
    this.#lastOrder = projection.tasks.arrivals;
    const parsed = topics.flatMap((topic) => parseTopic(topic) ?? []);
    for (const topic of parsed) {
      if (topic.kind === "task" && !this.#named.includes(topic.taskId)) this.#named.push(topic.taskId);
    }
    this.#namedAll = new Set(this.#named);
    this.#records = this.#unnamed(parsed);
  }

  /** The next chunk; a promise only where a named task has to be asked of the log. */
  next(nowMs: number): SnapshotChunk | Promise<SnapshotChunk> {
    const payloads: Uint8Array[] = [];
    while (this.#named.length > 0) {
      const id = this.#named[0] ?? "";
      const record = this.#projection.tasks.get(id);
      if (record === undefined && this.#projection.tasks.mayBeEvicted(id)) {
        return this.#fromLog(id).then((frames) => ({ payloads: [...payloads, ...frames], done: false }));
      }
      this.#named.shift();
      if (record !== undefined) payloads.push(...this.#framesOf(record).map(payloadOf));
    }
    const listed: TaskStatusData[] = [];
    for (let tasks = 0; tasks < CHUNK_TASKS; tasks++) {
      const { value: record, done } = this.#records.next();
      if (done) return { payloads: [...listOf(listed, this.#at, nowMs), ...payloads], done: true };
      payloads.push(...this.#framesOf(record).map(payloadOf));
      if (this.#topics.has("task:list") && record.statusSeq <= this.#at) {
        const { frame } = statusNow(record);
        if (frame.type === "task_status") listed.push(frame.data);
      }
    }
    return { payloads: [...listOf(listed, this.#at, nowMs), ...payloads], done: false };
  }

  /** The tasks that topics match without naming them, each once. */
  *#unnamed(topics: readonly Topic[]): Generator<TaskRecord> {
    const { tasks } = this.#projection;
    if (topics.some((topic) => topic.kind === "all" || topic.kind === "list")) {
      for (const record of tasks.active()) {
        if (record.order > this.#lastOrder) return;
        if (!this.#namedAll.has(record.id)) yield record;
      }
      return;
    }
    const tags = topics.flatMap((topic) => topic.kind === "tag" ? [topic.tag] : []);
    const distinct = [...new Set<string>(tags)];
    for (const [i, tag] of distinct.entries()) {
      for (const record of tasks.tagged(tag)) {
        if (record.order > this.#lastOrder || this.#namedAll.has(record.id) || !tasks.isActive(record.id)) {
          continue;
        }
        if (!distinct.slice(0, i).some((earlier) => tagsOf(record.state).includes(earlier))) yield record;
      }
    }
  }

  /** The frames of one task that these topics are to get, earlier position first. */
  #framesOf(record: TaskRecord): Prepared[] {
    const tags = tagsOf(record.state);
    const frames: { seq: number; frame: Prepared }[] = [];
    if (this.#wants("progress", record.id, tags) && this.#isPast(record.progressSeq)) {
      frames.push({ seq: record.progressSeq, frame: progressNow(record) });
    }
    if (this.#wants("status", record.id, tags) && this.#isPast(record.statusSeq)) {
      frames.push({ seq: record.statusSeq, frame: statusNow(record) });
    }
    return frames.sort((a, b) => a.seq - b.seq).map(({ frame }) => frame);
  }

  #isPast(seq: number): boolean {
    return seq > 0 && seq <= this.#at;
  }

  #wants(facet: "progress" | "status", taskId: string, tags: readonly string[]): boolean {
    return topicsOf(facet, taskId, tags).some((topic) => this.#topics.has(topic));
  }

  async #fromLog(id: string): Promise<Uint8Array[]> {
    const state = await this.#projection.stateFromLog(id);
    this.#named.shift();
    return state === undefined || state.top.seq > this.#at ? [] : this.#evictedFrames(id, state);
  }

  #evictedFrames(id: string, state: TaskState): Uint8Array[] {
    const frames: Prepared[] = [];
    const counted = countersEvent(state);
    if (counted !== undefined && this.#wants("progress", id, tagsOf(state))) {
      frames.push({ frame: progressFrame(state, undefined, counted.seq, counted.time, true) });
    }
    if (this.#wants("status", id, tagsOf(state))) {
      frames.push({ frame: statusFrame(state, undefined, state.top.seq, state.top.time) });
    }
    return frames.map(payloadOf);
  }
}

function listOf(tasks: readonly TaskStatusData[], at: number, nowMs: number): Uint8Array[] {
  if (tasks.length === 0) return [];
  const data = { tasks, removed: [] };
  return [encodeJson({ type: "task_list", id: `list_${at}`, timestamp: nowMs, data })];
}
