import type { PushedFrame } from "../client/client.ts";
import { hasEnded, toldBy } from "./shown_task.ts";

/** Which of the watched tasks are under way, and how those ended that are not. */
export class Tally {
  readonly #underWay = new Set<string>();
  #ended = 0;
  #completed = 0;

  /** Whether any was seen, and all that were have ended. */
  get isOver(): boolean {
    return this.#ended > 0 && this.#underWay.size === 0;
  }

  /** Whether all that ended were completed. */
  get isWell(): boolean {
    return this.#ended === this.#completed;
  }

  /** Takes in what a frame tells. */
  take(frame: PushedFrame): void {
    for (const shown of toldBy(frame, () => undefined)) {
      if (!hasEnded(shown)) {
        this.#underWay.add(shown.id);
        continue;
      }
      this.#underWay.delete(shown.id);
      this.#ended++;
      if (shown.task?.status === "completed") this.#completed++;
    }
  }
}
