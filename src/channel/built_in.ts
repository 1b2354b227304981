import type { TopicShape } from "../protocol/topic_shape.ts";
import { parseRecord } from "../task/worker_event.ts";
import type { Namespace } from "./namespace.ts";

const PROGRESS = "task_progress";
const STATUS = "task_status";

const TASK_TOPICS: readonly TopicShape[] = [
  { shape: "task:progress", brings: [PROGRESS] },
  { shape: "task:status", brings: [STATUS] },
  { shape: "task:list", brings: ["task_list"] },
  ...["task:id:<task_id>", "task:tag:<tag>"].flatMap((shape) => [
    { shape, brings: [PROGRESS, STATUS] },
    { shape: `${shape}:progress`, brings: [PROGRESS] },
    { shape: `${shape}:status`, brings: [STATUS] },
  ]),
];

/** Tasks: their events are folded, of their progress the newest is told, and of their status every change. */
export const TASKS: Namespace = {
  name: "task",
  conflation: "latest",
  retained: true,
  records: { space: "task", read: parseRecord },
  topics: TASK_TOPICS,
};

/** `data:*` and `strategy:*`. */
export const CHANNELS: readonly Namespace[] = [
  {
    name: "data",
    topics: [{ shape: "data:<name>", brings: ["data_update"] }],
  },
  {
    name: "strategy",
    topics: [{ shape: "strategy:<name>", brings: ["strategy_update"] }],
  },
];
