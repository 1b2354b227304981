import type { Namespace } from "../channel/namespaces.ts";
import { ID_PATTERNS, type JsonSchema } from "./json_schema.ts";

/** A shape that topics have, and which frames they bring. */
export type TopicShape = {
  /** As PROTOCOL.md writes it, with `<…>` for what varies. */
  readonly shape: string;
  readonly brings: readonly string[];
};

const PROGRESS = "task_progress";
const STATUS = "task_status";

/** The topics of tasks. */
const TASK_SHAPES: readonly TopicShape[] = [
  { shape: "task:progress", brings: [PROGRESS] },
  { shape: "task:status", brings: [STATUS] },
  { shape: "task:list", brings: ["task_list"] },
  ...["task:id:<task_id>", "task:tag:<tag>"].flatMap((shape) => [
    { shape, brings: [PROGRESS, STATUS] },
    { shape: `${shape}:progress`, brings: [PROGRESS] },
    { shape: `${shape}:status`, brings: [STATUS] },
  ]),
];

/** Namespaces whose frames have a type of their own. */
const OWN_UPDATES = ["data", "strategy"];

/** Every shape of topic of a gateway that has channels of these namespaces. */
export function topicShapes(namespaces: readonly Namespace[]): readonly TopicShape[] {
  const channels = namespaces.map((namespace) => ({
    shape: channelShape(namespace),
    brings: [OWN_UPDATES.includes(namespace.name) ? `${namespace.name}_update` : "channel_update"],
  }));
  return [...TASK_SHAPES, ...channels];
}

/** The shape of the topics of a namespace of channels. */
export function channelShape({ name, of }: Namespace): string {
  return of === "task" ? `task:id:<task_id>:${name}` : `${name}:<name>`;
}

const PARTS: Readonly<Record<string, string>> = {
  "<task_id>": ID_PATTERNS.taskId,
  "<tag>": ID_PATTERNS.tag,
  "<name>": ID_PATTERNS.channelName,
};

/** A shape as a JSON Schema of the topics that have it. */
export function topicSchema({ shape, brings }: TopicShape): JsonSchema {
  const inner = Object.entries(PARTS).reduce(
    (pattern, [part, rule]) => pattern.replace(part, rule.replace(/^\^|\$$/g, "")),
    shape,
  );
  return { type: "string", pattern: `^${inner}$`, description: `${shape} brings ${brings.join(" and ")}` };
}
