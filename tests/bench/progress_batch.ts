import { encodeJson, type Payload } from "../../src/protocol/codec.ts";

/** What one flush of a busy audience brings: so many tasks that moved on, as the gateway tells it. */
export function progressBatch(flush: number, tasks: number): Payload[] {
  return Array.from({ length: tasks }, (_, i) => {
    const seq = 1_000_000 + flush * tasks + i;
    const completed = 10_000 + flush;
    const progress = {
      total: 1_000_000,
      completed,
      failed: 0,
      current: `item ${completed}`,
      percentage: completed / 10_000,
      status: null,
      attempt: 1,
      rate: Math.round(20_000 + 7_919 * (seq % 97) / 97) / 1_000,
      eta_ms: Math.round((1_000_000 - completed) * (45 + seq % 11)),
    };
    const data = { task_id: `task-${i}`, progress };
    const frame = {
      type: "task_progress",
      id: `progress_${seq}`,
      timestamp: 1_704_067_200_000 + seq,
      data,
      seq,
    } as const;
    return { bytes: encodeJson(frame), type: "task_progress", cursor: seq };
  });
}
