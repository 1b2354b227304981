import { connect } from "nats";
import { taskNamed } from "../../sample_task.ts";

/**
 * Calls `deliver` with a frame for each worker event that NATS brings: of the same members as the gateway's own
 * `task_status`, and so of the same size. What the gateway knows beyond that (the task's state, a place in the log
 * to come back to) is spared the peers.
 */
export async function followFrames(url: string, deliver: (frame: unknown) => void): Promise<void> {
  const connection = await connect({ servers: url });
  connection.subscribe("taskwire.task.>", {
    callback: (error, message) => {
      if (error !== null) throw error;
      const [, , taskId = "", kind = ""] = message.subject.split(".");
      const { at, seq } = message.json<{ at: number; seq: number }>();
      deliver(frameOf(taskId, kind, at, seq));
    },
  });
  await connection.flush();
}

function frameOf(taskId: string, kind: string, at: number, seq: number): unknown {
  return {
    type: "task_status",
    id: `status_${seq}`,
    timestamp: at,
    data: taskNamed(taskId, { status: kind === "paused" ? "paused" : "running" }),
    seq,
  };
}
