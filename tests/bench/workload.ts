/**
 * What is published. `status`: every event changes a task's status, so that nothing may be merged. `progress`: none
 * does. `mixed`: one event in a hundred does. `lives`: tasks that nobody knew are created, started and completed.
 * `tagged`: as `status`, of tasks that are created first, each with a tag of its own, `user-1000` and on.
 */
export type Workload = "status" | "progress" | "mixed" | "lives" | "tagged";

/** The number of the first connection of a group, and of the first tag: all have as many digits, as texts have. */
export const FIRST_NUMBER = 1_000;

/** In `mixed`, one event in so many changes a status. */
export const MIXED_EVERY = 100;

/** An event as it is published: the subject's last two tokens, and the body. */
export type WorkerEvent = { readonly taskId: string; readonly kind: string; readonly body: string };

/** The n-th event of a workload of so many tasks, that happened at `atMs`. Its body ends with its number. */
export function eventOf(workload: Workload, n: number, tasks: number, atMs: number): WorkerEvent {
  if (workload === "lives") return partOfLife(n, tasks, atMs);
  if (workload === "tagged" && n < tasks) {
    const body = `{"name":"Import ${n}","tags":["user-${FIRST_NUMBER + n}"],"at":${atMs},"seq":${n}}`;
    return { taskId: `task-${n}`, kind: "created", body };
  }
  if (workload === "status" || workload === "tagged") return statusChange(n, n, tasks, atMs);
  if (workload === "mixed" && n % MIXED_EVERY === 0) return statusChange(n / MIXED_EVERY, n, tasks, atMs);
  const completed = Math.floor(n / tasks);
  const body =
    `{"total":1000000,"completed":${completed},"failed":0,"current":"item ${completed}","at":${atMs},"seq":${n}}`;
  return { taskId: `task-${n % tasks}`, kind: "progress", body };
}

/** What happens to a task of `lives`, in this order. */
export const LIFE = ["created", "started", "completed"] as const;

/** All tasks are created, then all are started, then all are completed. */
function partOfLife(n: number, tasks: number, atMs: number): WorkerEvent {
  const kind = LIFE[Math.floor(n / tasks)] ?? "completed";
  return { taskId: `life-${n % tasks}`, kind, body: `{"at":${atMs},"seq":${n}}` };
}

function statusChange(change: number, n: number, tasks: number, atMs: number): WorkerEvent {
  const kind = Math.floor(change / tasks) % 2 === 0 ? "paused" : "resumed";
  return { taskId: `task-${change % tasks}`, kind, body: `{"at":${atMs},"seq":${n}}` };
}

/** Events of each task in a history: it is created, started, moves on, and every second one ends. */
export const HISTORY_EVENTS = 100;

/** The n-th event of a history in which so many tasks take turns, {@link HISTORY_EVENTS} events each. */
export function historicEvent(n: number, tasks: number): WorkerEvent {
  const task = n % tasks;
  const turn = Math.floor(n / tasks);
  const taskId = `task-${task}`;
  const last = turn === HISTORY_EVENTS - 1;
  if (turn === 0) {
    return {
      taskId,
      kind: "created",
      body: `{"name":"Import ${task}","type":"import","tags":["user-${task % 100}"]}`,
    };
  }
  if (turn === 1) return { taskId, kind: "started", body: "{}" };
  if (last && task % 2 === 0) return { taskId, kind: "completed", body: `{"result":{"rows":${task}}}` };
  return { taskId, kind: "progress", body: `{"total":100,"completed":${turn},"current":"part ${turn}"}` };
}
