import { type Namespace, topicsOfNamespace } from "../channel/namespace.ts";
import type { TopicShape } from "../protocol/topic_shape.ts";
import { ID_PATTERNS, type JsonSchema } from "./json_schema.ts";

/** Every shape of topic of a gateway that has these namespaces. */
export function topicShapes(namespaces: readonly Namespace[]): readonly TopicShape[] {
  return namespaces.flatMap(topicsOfNamespace);
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
