import type { PushedFrame } from "../../src/client/client.ts";
import { forgetFirst } from "../../src/client/oldest.ts";
import type { Standing } from "./truth.ts";

/** So many tasks are kept in view, those that moved last. */
const MAX_TASKS = 20_000;

/** What somebody knows of the tasks by what was pushed, and which changes of status it was told. */
export class View {
  readonly tasks = new Map<string, Standing>();
  /** The positions of the changes that were told as they happened, in order; of all since {@link View.from}. */
  statusSeqs: number[] = [];
  /** Every change after this position was told; NaN before it has caught up for the first time. */
  from = NaN;
  /** So often it was told that something is missing. */
  gaps = 0;
  isLive = false;

  /** Takes in what was pushed. */
  readonly take = (frame: PushedFrame): void => {
    switch (frame.type) {
      case "task_status":
        this.#put(frame.data.task_id, {
          status: frame.data.status,
          completed: frame.data.progress.completed,
        });
        if (frame.snapshot !== true && frame.seq !== undefined) this.statusSeqs.push(frame.seq);
        break;
      case "task_progress": {
        const known = this.tasks.get(frame.data.task_id);
        const { completed } = frame.data.progress;
        this.#put(frame.data.task_id, { status: known?.status ?? "", completed });
        break;
      }
      case "gap":
        this.gaps++;
        this.tasks.clear();
        this.statusSeqs = [];
        this.from = NaN;
        break;
      case "caught_up":
        if (!Number.isNaN(this.from)) break;
        this.from = frame.data.seq;
        this.statusSeqs = this.statusSeqs.filter((seq) => seq > frame.data.seq);
        break;
      case "task_list":
        break;
    }
  };

  #put(id: string, standing: Standing): void {
    this.tasks.delete(id);
    this.tasks.set(id, standing);
    if (this.tasks.size > MAX_TASKS) forgetFirst(this.tasks);
  }
}
