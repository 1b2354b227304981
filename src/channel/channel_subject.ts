import { isChannelKey, isChannelName, isNamespace } from "../protocol/names.ts";

/** A channel, and which of its values: `key` is empty where it has but one. */
export type ChannelValue = { readonly topic: string; readonly key: string };

/** Namespaces that have subjects of their own. */
const OWN: ReadonlySet<string> = new Set(["data", "strategy"]);

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * Where in the log a value of a channel is written, relative to the prefix: `data.<name>[.<key>]`, `strategy.<name>[.<key>]`, and
 * `data.~<namespace>.<name>[.<key>]` of any other namespace, so that no stream has to change for it. Each is one token: bytes of
 * them that are not of `A-Za-z0-9_-` are written `%XX`.
 */
export function channelSubject({ topic, key }: ChannelValue): string {
  const colon = topic.indexOf(":");
  const parts = [
    channelSpace(topic.slice(0, colon)),
    token(topic.slice(colon + 1)),
    ...(key === "" ? [] : [token(key)]),
  ];
  return parts.join(".");
}

/** What the subjects of a namespace begin with, relative to the prefix. */
export function channelSpace(namespace: string): string {
  return OWN.has(namespace) ? namespace : `data.~${namespace}`;
}

/** The inverse of {@link channelSubject}; undefined where `subject` is of no channel. */
export function channelOf(subject: string): ChannelValue | undefined {
  const [space = "", ...tokens] = subject.split(".");
  if (!OWN.has(space)) return undefined;
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
