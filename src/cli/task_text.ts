import type { ShownTask } from "./shown_task.ts";
import { harmless } from "./text_width.ts";

/** `45 %`, or nothing while the share is unknown. */
export function share({ progress }: ShownTask): string {
  const percentage = progress?.percentage ?? null;
  return percentage === null ? "" : `${Math.floor(percentage)} %`;
}

/** `45/100`, with what failed; only what was done while the total is unknown; nothing before anything was. */
export function counts({ progress }: ShownTask): string {
  if (progress === undefined) return "";
  const { total, completed, failed } = progress;
  if (total === null && completed === 0 && failed === 0) return "";
  const done = total === null ? plain(completed + failed) : `${plain(completed + failed)}/${plain(total)}`;
  return failed === 0 ? done : `${done} (${plain(failed)} failed)`;
}

/** What it is, or ended as; `progress` while only that was heard of it. */
export function statusWord({ task }: ShownTask): string {
  if (task === undefined) return "progress";
  const status = task.liveness === "stale" ? `${task.status}, silent` : task.status;
  return task.attempt > 1 ? `${status} (attempt ${task.attempt})` : status;
}

/** The most telling thing about it in a few words: why it failed, what came of it, what it is working on. */
export function detail({ task, progress }: ShownTask): string {
  if (task?.status === "failed" || task?.status === "retrying") {
    const { message = "", code } = task.error ?? {};
    return harmless(code === undefined || message.includes(code) ? message : `${message} (${code})`);
  }
  if (task?.status === "cancelled" || task?.status === "cancelling") return harmless(task.reason ?? "");
  if (task?.status === "completed") {
    return task.result === null || task.result === undefined ? "" : harmless(JSON.stringify(task.result));
  }
  return harmless([progress?.status, progress?.current].filter((part) => part).join(" · "));
}

/** `12 s left`, or nothing while that is unknown. */
export function timeLeft({ progress }: ShownTask): string {
  const etaMs = progress?.eta_ms ?? null;
  return etaMs === null ? "" : `${duration(etaMs)} left`;
}

/** A duration in its one or two largest units: `850 ms`, `12 s`, `3 min 20 s`, `2 h 5 min`, `3 d`. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const s = Math.round(ms / 1_000);
  if (s < 60) return `${s} s`;
  if (s < 3_600) return joined(Math.floor(s / 60), "min", s % 60, "s");
  if (s < 86_400) return joined(Math.floor(s / 3_600), "h", Math.floor(s % 3_600 / 60), "min");
  return joined(Math.floor(s / 86_400), "d", Math.floor(s % 86_400 / 3_600), "h");
}

function joined(large: number, unit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${unit}` : `${large} ${unit} ${small} ${smallUnit}`;
}

/** A number of items without digits that nobody needs. */
function plain(value: number): string {
  return String(Math.round(value * 100) / 100);
}

/** One line without colours about a task at a moment (ms since the epoch): for pipes and logs. */
export function plainLine(shown: ShownTask, timeMs: number, isProgress: boolean): string {
  const time = new Date(timeMs).toISOString();
  const word = isProgress ? "progress" : statusWord(shown);
  // What it is working on belongs to progress; a change of status says what that is about.
  return [time, shown.id, word, share(shown), counts(shown), timeLeft(shown), detail(shown)]
    .filter((part) => part !== "").join("  ");
}
