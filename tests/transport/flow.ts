/**
 * Work that is reported faster than a slow client reads: tasks in turn, each with progress, pauses and, for every
 * second of them, an end. It is known beforehand, and so is what a client has to be told of it.
 */

/** How many tasks there are, and how often each has something to say. */
const TASKS = 200;
const ROUNDS = 75;

/** How many events there are; on an empty log event `i` lies at position `i + 1`. */
export const FLOW_EVENTS = TASKS * ROUNDS;

/** An event of the flow. */
export type FlowEvent = { readonly taskId: string; readonly kind: string; readonly body: object };

/** A status change that a client has to be told. */
export type Change = { readonly seq: number; readonly taskId: string; readonly status: string };

/** Event `i`. */
export function flowEvent(i: number): FlowEvent {
  const round = Math.floor(i / TASKS);
  const taskId = `job${i % TASKS}`;
  const kind = kindOf(round, i % TASKS);
  const progress = { total: ROUNDS, completed: round, current: "x".repeat(1_000) };
  return { taskId, kind, body: kind === "progress" ? progress : {} };
}

/** Every status change, in order. */
export function flowChanges(): Change[] {
  const changes: Change[] = [];
  for (let i = 0; i < FLOW_EVENTS; i++) {
    const { taskId, kind } = flowEvent(i);
    const status = STATUS.get(kind) ?? (i < TASKS ? "running" : undefined);
    if (status !== undefined) changes.push({ seq: i + 1, taskId, status });
  }
  return changes;
}

/** What the last progress of every task says, by task. */
export function lastProgress(): ReadonlyMap<string, number> {
  return new Map(Array.from({ length: TASKS }, (_, task) => [`job${task}`, ROUNDS - 2]));
}

const STATUS: ReadonlyMap<string, string> = new Map([
  ["paused", "paused"],
  ["resumed", "running"],
  ["completed", "completed"],
]);

function kindOf(round: number, task: number): string {
  if (round === ROUNDS - 1 && task % 2 === 0) return "completed";
  if (round % 5 !== 4) return "progress";
  return round % 10 === 4 ? "paused" : "resumed";
}
