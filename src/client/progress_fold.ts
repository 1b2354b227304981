import type { ProgressData, ServerFrame } from "../protocol/server_frames.ts";

/** What was told last of a task's counters, and by the event at which position. */
type Base = { readonly at: number; readonly progress: ProgressData };

/** Of so many tasks it is known; a gateway goes on from what it told of 10,000. */
const MOST_TASKS = 100_000;
const ENDED = ["completed", "failed", "cancelled"];

/** Makes frames whole that tell what changed, by those before them. */
export class ProgressFold {
  readonly #bases = new Map<string, Base>();

  /** The frame as one who did not ask for changes gets it; undefined where what it goes on from is not known. */
  whole(frame: ServerFrame): ServerFrame | undefined {
    switch (frame.type) {
      case "progress_delta": {
        const { task_id, base, progress: changed } = frame.data;
        const known = this.#bases.get(task_id);
        if (known?.at !== base) return undefined;
        const progress = { ...known.progress, ...changed };
        this.#note(task_id, { at: positionOf(frame.id), progress });
        return { ...frame, type: "task_progress", data: { task_id, progress } };
      }
      case "task_progress":
        this.#note(frame.data.task_id, { at: positionOf(frame.id), progress: frame.data.progress });
        return frame;
      case "task_status": {
        const { task_id, status, progress } = frame.data;
        // An answer is not pushed: what comes next goes on from what was.
        if (frame.id !== `status_${frame.seq}`) return frame;
        if (ENDED.includes(status)) this.#bases.delete(task_id);
        else this.#note(task_id, { at: positionOf(frame.id), progress });
        return frame;
      }
      default:
        return frame;
    }
  }

  #note(taskId: string, base: Base): void {
    this.#bases.delete(taskId);
    this.#bases.set(taskId, base);
    if (this.#bases.size <= MOST_TASKS) return;
    const [oldest = taskId] = this.#bases.keys();
    this.#bases.delete(oldest);
  }
}

/** The number in `progress_4712`, and its like. */
function positionOf(id: string): number {
  return Number(id.slice(id.indexOf("_") + 1));
}
