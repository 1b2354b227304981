import {
  isSealed,
  KeyRing,
  type Keys,
  type SealedMember,
  type Unopened,
  unseal,
} from "../protocol/encryption.ts";
import type { HistoryEvent, ProgressData, TaskStatusData } from "../protocol/server_frames.ts";
import type { PushedFrame } from "./watch.ts";

/** A member that was sealed and could not be opened; it is shown as it came. */
export type Trouble = { readonly taskId: string; readonly member: SealedMember; readonly why: Unopened };

/** Keys, which are looked at whenever one is wanted, and who is told of what they do not open. */
export type DecryptionOptions = { keys: Keys; readonly onTrouble?: (trouble: Trouble) => void };

type Body = Record<string, unknown>;

/** Opens what workers sealed. What was never sealed stays as it is. The constructor throws a `TypeError` for keys that are none. */
export class Decryption {
  readonly #ring: KeyRing;
  readonly #onTrouble: (trouble: Trouble) => void;

  constructor(options: DecryptionOptions) {
    const { onTrouble = () => {} } = options;
    this.#ring = new KeyRing(options);
    this.#onTrouble = onTrouble;
  }

  /** What was pushed, with what is in it of tasks opened. */
  async frame(frame: PushedFrame): Promise<PushedFrame> {
    if (frame.type === "task_status") return { ...frame, data: await this.task(frame.data) };
    if (frame.type === "task_list") {
      return { ...frame, data: { ...frame.data, tasks: await this.tasks(frame.data.tasks) } };
    }
    if (frame.type !== "task_progress") return frame;
    const { task_id: id, progress } = frame.data;
    return { ...frame, data: { ...frame.data, progress: await this.progress(id, progress) } };
  }

  /** Tasks as their workers told of them. */
  async tasks(tasks: readonly TaskStatusData[]): Promise<readonly TaskStatusData[]> {
    return await Promise.all(tasks.map((task) => this.task(task)));
  }

  /** A task as its worker told of it. */
  async task<T extends TaskStatusData>(task: T): Promise<T> {
    const { task_id: id } = task;
    const [name, reason, error, result, progress] = await Promise.all([
      this.#text(task.name, id, "name"),
      this.#text(task.reason, id, "reason"),
      this.#error(task.error, id),
      this.#result(task.result, id),
      this.progress(id, task.progress),
    ]);
    return { ...task, name, reason, error, result, progress };
  }

  /** Counters as the worker told them. `rate` and `eta_ms` stay unknown where gateways could not read them. */
  async progress(taskId: string, progress: ProgressData): Promise<ProgressData> {
    const said = await this.#opened(progress.current, taskId, "progress");
    if (!isObject(said)) return progress;
    const total = numberOr(said.total, progress.total);
    const completed = numberOr(said.completed, progress.completed);
    const failed = numberOr(said.failed, progress.failed);
    const share = total === null || total === 0 ? progress.percentage : (completed + failed) / total * 100;
    const percentage = numberOr(said.percentage, share);
    return {
      ...progress,
      total,
      completed,
      failed,
      percentage: percentage === null ? null : Math.round(Math.min(100, Math.max(0, percentage)) * 100) / 100,
      current: textOr(said.current, null),
      status: textOr(said.status, null),
    };
  }

  /** An event of a task's history, its body as the worker wrote it. */
  async event(taskId: string, event: HistoryEvent): Promise<HistoryEvent> {
    if (!isObject(event.body)) return event;
    const body = event.kind === "progress" ? await this.#counters(event.body, taskId) : { ...event.body };
    if (isObject(body.progress)) body.progress = await this.#counters(body.progress, taskId);
    if ("name" in body) body.name = await this.#opened(body.name, taskId, "name");
    if ("reason" in body) body.reason = await this.#text(body.reason, taskId, "reason");
    if ("error" in body) body.error = await this.#error(body.error, taskId);
    if ("result" in body) body.result = await this.#result(body.result, taskId);
    return { ...event, body };
  }

  async #counters(counters: Body, taskId: string): Promise<Body> {
    const said = await this.#opened(counters.current, taskId, "progress");
    if (!isObject(said)) return { ...counters };
    const { current: _, ...clear } = counters;
    return { ...clear, ...said };
  }

  async #text<T>(text: T, taskId: string, member: "name" | "reason"): Promise<T | string> {
    const opened = await this.#opened(text, taskId, member);
    // A reason was an object when it was sealed, so that it could be cut as the others are.
    const said = isObject(opened) ? opened[member] : opened;
    return typeof said === "string" ? said : text;
  }

  async #error<T>(error: T, taskId: string): Promise<T | { message: string; code?: string }> {
    const said = isObject(error) ? await this.#opened(error.message, taskId, "error") : undefined;
    if (!isObject(said) || typeof said.message !== "string") return error;
    return { message: said.message, ...(typeof said.code === "string" ? { code: said.code } : {}) };
  }

  async #result(result: unknown, taskId: string): Promise<unknown> {
    if (!isObject(result) || !isSealed(result.enc)) return result;
    const opened = await this.#opened(result.enc, taskId, "result");
    return opened === result.enc ? result : opened;
  }

  /** What is in `value`; itself where it is not sealed, or cannot be opened. */
  async #opened(value: unknown, taskId: string, member: SealedMember): Promise<unknown> {
    if (!isSealed(value)) return value;
    const opened = await unseal(value, { taskId, member }, this.#ring);
    if ("value" in opened) return opened.value;
    this.#onTrouble({ taskId, member, why: opened.unopened });
    return value;
  }
}

function isObject(value: unknown): value is Body {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function numberOr<T>(value: unknown, otherwise: T): number | T {
  return typeof value === "number" ? value : otherwise;
}

function textOr<T>(value: unknown, otherwise: T): string | T {
  return typeof value === "string" ? value : otherwise;
}
