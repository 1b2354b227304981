import { isChannelName, isNamespace, isTag, isTaskId, type Tag, type TaskId } from "./names.ts";

/** Which half of a task's frames a topic carries; both when absent. */
export type Facet = "progress" | "status";

/**
 * What a client can subscribe to.
 * `task:progress`, `task:status`, `task:list`, `task:id:<id>[:<facet>]`, `task:tag:<tag>[:<facet>]`; and the channels of other
 * namespaces, `<namespace>:<name>`, or where they are about a task each, `task:id:<id>:<namespace>`. Whether there is such a
 * namespace is another question.
 */
export type Topic =
  | { readonly kind: "all"; readonly facet: Facet }
  | { readonly kind: "list" }
  | { readonly kind: "task"; readonly taskId: TaskId; readonly facet?: Facet }
  | { readonly kind: "tag"; readonly tag: Tag; readonly facet?: Facet }
  | ChannelTopic;

/** The topic of a channel; `taskId` where it is about a task, of which that is the name. */
export type ChannelTopic = {
  readonly kind: "channel";
  readonly namespace: string;
  readonly name: string;
  readonly taskId?: TaskId;
};

/** The connection paths, and the topic namespaces each may use; `*` is every namespace. */
export const PATHS: ReadonlyMap<string, string> = new Map([
  ["/ws", "*"],
  ["/ws/task", "task"],
  ["/ws/data", "data"],
  ["/ws/strategy", "strategy"],
]);

/** Where frames are streamed over HTTP: all namespaces. */
export const STREAM_PATH = "/api/stream";

/** The topic that `text` names, or undefined where it names none. The inverse of {@link printTopic}. */
export function parseTopic(text: string): Topic | undefined {
  if (text.length > 256) return undefined;
  const [namespace = "", kind, name, facet, ...rest] = text.split(":");
  if (namespace !== "task") {
    const isChannel = isNamespace(namespace) && kind !== undefined && isChannelName(kind) &&
      name === undefined;
    return isChannel ? { kind: "channel", namespace, name: kind } : undefined;
  }
  if (rest.length > 0) return undefined;
  if (name === undefined) {
    if (kind === "list") return { kind };
    return kind !== undefined && isFacet(kind) ? { kind: "all", facet: kind } : undefined;
  }
  if (facet !== undefined && !isFacet(facet)) {
    const isAbout = kind === "id" && isTaskId(name) && isNamespace(facet);
    return isAbout ? { kind: "channel", namespace: facet, name, taskId: name } : undefined;
  }
  const half: { facet?: Facet } = facet === undefined ? {} : { facet };
  if (kind === "id" && isTaskId(name)) return { kind: "task", taskId: name, ...half };
  if (kind === "tag" && isTag(name)) return { kind: "tag", tag: name, ...half };
  return undefined;
}

/** The one spelling of a topic on the wire. */
export function printTopic(topic: Topic): string {
  switch (topic.kind) {
    case "all":
      return `task:${topic.facet}`;
    case "list":
      return "task:list";
    case "task":
      return `task:id:${topic.taskId}${topic.facet === undefined ? "" : `:${topic.facet}`}`;
    case "tag":
      return `task:tag:${topic.tag}${topic.facet === undefined ? "" : `:${topic.facet}`}`;
    case "channel":
      return topic.taskId === undefined
        ? `${topic.namespace}:${topic.name}`
        : `task:id:${topic.taskId}:${topic.namespace}`;
  }
}

/** Whether a connection on `path` may hold `topic`, by its namespace. */
export function pathAllows(path: string, topic: string): boolean {
  const namespace = path === STREAM_PATH ? "*" : PATHS.get(path);
  return namespace === "*" || (namespace !== undefined && topic.startsWith(`${namespace}:`));
}

/**
 * The topics, as printed, that a frame of one facet about one task belongs to.
 * `task:list` is not among them: it carries frames of its own. What is of a channel belongs to that alone, whose topic stands
 * in the place of the id.
 */
export function topicsOf(facet: Facet, taskId: string, tags: readonly string[]): string[] {
  if (isChannel(taskId)) return [taskId];
  const topics = [`task:${facet}`, `task:id:${taskId}`, `task:id:${taskId}:${facet}`];
  for (const tag of tags) topics.push(`task:tag:${tag}`, `task:tag:${tag}:${facet}`);
  return topics;
}

/** Whether what stands in the place of a task's id is the topic of a channel: no id has a colon. */
export function isChannel(taskId: string): boolean {
  return taskId.includes(":");
}

/** Whether `text` names a half of a task's frames. */
export function isFacet(text: string): text is Facet {
  return text === "progress" || text === "status";
}

/** The namespace of a channel, by its topic. */
export function namespaceOf(channel: string): string {
  const [namespace = "", , , facet = ""] = channel.split(":");
  return namespace === "task" ? facet : namespace;
}

/** The task that a channel is about, by its topic; undefined where it is about none. */
export function taskOf(channel: string): string | undefined {
  const [namespace, , taskId] = channel.split(":");
  return namespace === "task" ? taskId : undefined;
}
