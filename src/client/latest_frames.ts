import { positionOf, saysEnded, type TaskFrame } from "./task_frame.ts";

/** Of so many ended tasks the last frames are kept. */
const MAX_ENDED = 1_000;

/** The newest frames of each task of one topic, for who comes to it when it is held already. */
export class LatestFrames {
  readonly #tasks = new Map<string, { progress?: TaskFrame; status?: TaskFrame }>();
  /** The one that ended first first. */
  readonly #ended = new Set<string>();

  /** Keeps a frame, unless a newer one is there. */
  keep(frame: TaskFrame): void {
    const { task_id: id } = frame.data;
    const half = frame.type === "task_progress" ? "progress" : "status";
    const newest = this.#tasks.get(id) ?? {};
    const known = newest[half];
    if (known !== undefined && positionOf(known) >= positionOf(frame)) return;
    newest[half] = frame;
    this.#tasks.set(id, newest);
    if (frame.type !== "task_status") return;
    this.#ended.delete(id);
    if (!saysEnded(frame)) return;
    this.#ended.add(id);
    if (this.#ended.size <= MAX_ENDED) return;
    for (const first of this.#ended) {
      this.#ended.delete(first);
      this.#tasks.delete(first);
      return;
    }
  }

  /** Forgets everything: positions mean something else now. */
  clear(): void {
    this.#tasks.clear();
    this.#ended.clear();
  }

  /** What is kept, in no order. */
  frames(): readonly TaskFrame[] {
    return [...this.#tasks.values()].flatMap(({ progress, status }) =>
      [progress, status].filter((frame) => frame !== undefined)
    );
  }
}
