import { aboutOf, type NewsFrame, positionOf } from "./task_frame.ts";
import type { Watch } from "./watch.ts";

/** More than so many changes are not held back: then each comes when it comes. */
const MAX_FRAMES = 50_000;

/**
 * What comes of some topics of a watch while another of them begins anew: a task may belong now to the ones, now to the other,
 * and what happened to it is told in the order of the stream. Of progress, and of values of `data:*` and `strategy:*`, the newest is kept.
 */
export class HeldBack {
  readonly #frames = new Map<Watch, Map<string, NewsFrame>>();

  /** For whom something is held back. */
  get watches(): readonly Watch[] {
    return [...this.#frames.keys()];
  }

  begin(watch: Watch): void {
    if (!this.#frames.has(watch)) this.#frames.set(watch, new Map());
  }

  /** Holds a frame back, where that is done for this watch; false where it is not. */
  keep(watch: Watch, frame: NewsFrame): boolean {
    const frames = this.#frames.get(watch);
    if (frames === undefined || frames.size >= MAX_FRAMES) return false;
    // Each status counts, and each value of a plug-in's channel: whether newer ones stand for it is not known.
    const key = /us$|^c/.test(frame.type) ? frame.id : aboutOf(frame);
    const known = frames.get(key);
    if (known === undefined || positionOf(known) < positionOf(frame)) frames.set(key, frame);
    return true;
  }

  /** Holds nothing back any more; what was, in the order of the stream. */
  end(watch: Watch): readonly NewsFrame[] {
    const frames = [...this.#frames.get(watch)?.values() ?? []];
    this.#frames.delete(watch);
    return frames.sort((one, other) => positionOf(one) - positionOf(other));
  }
}
