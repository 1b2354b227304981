import { forgetFirst } from "./oldest.ts";
import { positionOf, saysEnded, type TaskFrame } from "./task_frame.ts";

/** Of so many ended tasks the last frames are kept. */
const MAX_ENDED = 1_000;

/** The newest frames of each task of one topic, for who comes to it when it is held already. */
export class LatestFrames {
  readonly #tasks = new Map<string, { [T in TaskFrame["type"]]?: TaskFrame }>();
  /** The one that ended first first. */
  readonly #ended = new Set<string>();

  /** Keeps a frame, unless a newer one is there. */
  keep(frame: TaskFrame): void {
    const { type, data: { task_id: id } } = frame;
    const newest = this.#tasks.get(id) ?? {};
    const known = newest[type];
    if (known !== undefined && positionOf(known) >= positionOf(frame)) return;
    newest[type] = frame;
    this.#tasks.set(id, newest);
    if (type !== "task_status") return;
    this.#ended.delete(id);
    if (saysEnded(frame)) this.#ended.add(id);
    if (this.#ended.size > MAX_ENDED) this.#tasks.delete(forgetFirst(this.#ended) ?? "");
  }

  /** Forgets everything: positions mean something else now. */
  clear(): void {
    this.#tasks.clear();
    this.#ended.clear();
  }

  /** What is kept, in no order. */
  frames(): readonly TaskFrame[] {
    return [...this.#tasks.values()].flatMap((newest) => Object.values(newest));
  }
}
