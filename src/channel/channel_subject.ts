import type { Namespace } from "./namespace.ts";
import { isChannelKey, isChannelName, isNamespace, isTaskId } from "../protocol/names.ts";
import { isFacet, namespaceOf, taskOf } from "../protocol/topics.ts";

/** A channel, and which of its values: `key` is empty where it has but one. */
export type ChannelValue = { readonly topic: string; readonly key: string };

/** Namespaces that have subjects of their own. */
const OWN: ReadonlySet<string> = new Set(["data", "strategy"]);
/** What stands in the place of a namespace where it is about tasks. */
const ABOUT = "~task";
/** What the subjects of all channels about tasks begin with, relative to the prefix. */
export const ABOUT_TASKS = `data.${ABOUT}`;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * Where in the log a value of a channel is written, relative to the prefix: `data.<name>[.<key>]`, `strategy.<name>[.<key>]`,
 * `data.~<namespace>.<name>[.<key>]` of any other namespace, and `data.~task.<namespace>.<task_id>[.<key>]` of one about tasks, so
 * that no stream has to change for it. Each is one token: bytes of them that are not of `A-Za-z0-9_-` are written `%XX`.
 */
export function channelSubject({ topic, key }: ChannelValue): string {
  const namespace = namespaceOf(topic);
  const taskId = taskOf(topic);
  const parts = [
    channelSpace({ name: namespace, ...(taskId === undefined ? {} : { of: "task" }) }),
    token(taskId ?? topic.slice(namespace.length + 1)),
    ...(key === "" ? [] : [token(key)]),
  ];
  return parts.join(".");
}

/** What the subjects of a namespace begin with, relative to the prefix. */
export function channelSpace({ name, of }: Pick<Namespace, "name" | "of">): string {
  if (of === "task") return `${ABOUT_TASKS}.${name}`;
  return OWN.has(name) ? name : `data.~${name}`;
}

/** Whether values of channels lie under subjects that begin with `<space>.`. */
export function isChannelSpace(space: string): boolean {
  return OWN.has(space);
}

/** The inverse of {@link channelSubject}; undefined where `subject` is of no channel. */
export function channelOf(subject: string): ChannelValue | undefined {
  const [space = "", ...tokens] = subject.split(".");
  if (!OWN.has(space)) return undefined;
  if (space === "data" && tokens[0] === ABOUT) return aboutTask(tokens.slice(1));
  const other = space === "data" && tokens[0]?.startsWith("~") === true
    ? tokens.shift()?.slice(1)
    : undefined;
  const namespace = other ?? space;
  const [name, key, ...rest] = tokens;
  if (name === undefined || rest.length > 0 || namespace === "task" || !isNamespace(namespace)) {
    return undefined;
  }
  if (other !== undefined && OWN.has(other)) return undefined;
  const [read, readKey] = [text(name), key === undefined ? "" : text(key)];
  if (read === undefined || readKey === undefined || !isChannelName(read)) return undefined;
  if (key !== undefined && !isChannelKey(readKey)) return undefined;
  return { topic: `${namespace}:${read}`, key: readKey };
}

function aboutTask([namespace = "", taskId = "", key, ...rest]: readonly string[]): ChannelValue | undefined {
  if (rest.length > 0 || !isNamespace(namespace) || isFacet(namespace) || !isTaskId(taskId)) return undefined;
  const readKey = key === undefined ? "" : text(key);
  if (readKey === undefined || (key !== undefined && !isChannelKey(readKey))) return undefined;
  return { topic: `task:id:${taskId}:${namespace}`, key: readKey };
}

function token(part: string): string {
  return part.replaceAll(
    /[^A-Za-z0-9_-]+/gu,
    (run) =>
      Array.from(encoder.encode(run), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join(
        "",
      ),
  );
}

function text(part: string): string | undefined {
  if (!part.includes("%")) return part;
  const bytes: number[] = [];
  for (let i = 0; i < part.length; i++) {
    if (part[i] !== "%") {
      bytes.push(...encoder.encode(part[i]));
      continue;
    }
    const hex = part.slice(i + 1, i + 3);
    if (!/^[\dA-Fa-f]{2}$/.test(hex)) return undefined;
    bytes.push(Number.parseInt(hex, 16));
    i += 2;
  }
  try {
    return decoder.decode(Uint8Array.from(bytes));
  } catch {
    return undefined;
  }
}
