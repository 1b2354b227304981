import { forgetFirst } from "./oldest.ts";
import { aboutOf, type NewsFrame, positionOf, saysEnded } from "./task_frame.ts";

/** Of so many ended tasks the last frames are kept. */
const MAX_ENDED = 1_000;

/** The newest frames of each task, or value of a channel, of one topic, for who comes to it when it is held already. */
export class LatestFrames {
  readonly #tasks = new Map<string, { [T in NewsFrame["type"]]?: NewsFrame }>();
  /** The one that ended first first. */
  readonly #ended = new Set<string>();

  /** Keeps a frame, unless a newer one is there. */
  keep(frame: NewsFrame): void {
    const { type } = frame;
    const id = aboutOf(frame);
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
  frames(): readonly NewsFrame[] {
    return [...this.#tasks.values()].flatMap((newest) => Object.values(newest));
  }
}
