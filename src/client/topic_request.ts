/** A position, and the life of the stream it is a position in. */
export type Cursor = { readonly epoch: string; readonly seq: number };

/** A request about topics. */
export type TopicRequest =
  | { readonly type: "subscribe"; readonly topics: readonly string[]; readonly since: Cursor }
  | { readonly type: "subscribe"; readonly topics: readonly string[]; readonly replay: string }
  | { readonly type: "unsubscribe"; readonly topics: readonly string[] };

/** What a gateway takes. */
export type TopicLimits = {
  /** How many topics a connection may hold. */
  readonly maxTopics: number;
  /** The largest message, bytes. */
  readonly maxMessageBytes: number;
  /** What the names of all topics held may weigh in a URL, bytes: there is none but over streams. */
  readonly maxUrlBytes: number;
};

/** So many topics a gateway takes in one request. */
const MAX_TOPICS = 1_024;
/** What a request weighs beside its topics at most. */
const FRAME_BYTES = 256;
/** More than the name of any topic weighs. */
const MAX_NAME_BYTES = 512;

const encoder = new TextEncoder();

function bytesOf(name: string): number {
  return encoder.encode(JSON.stringify(name)).length + 1;
}

/** Whether this is longer than the name of any topic. */
export function isTooLong(name: string): boolean {
  return bytesOf(name) > MAX_NAME_BYTES;
}

/** What a name weighs in a URL, bytes. */
export function urlBytesOf(name: string): number {
  return String(new URLSearchParams({ "": name })).length;
}

/** These topics, as few requests take them. */
export function parted(names: readonly string[], { maxMessageBytes }: TopicLimits): readonly string[][] {
  const parts: string[][] = [];
  let part: string[] = [];
  let left = 0;
  for (const name of names) {
    const bytes = bytesOf(name);
    if (bytes > left || part.length >= MAX_TOPICS) {
      parts.push(part = []);
      left = maxMessageBytes - FRAME_BYTES;
    }
    part.push(name);
    left -= bytes;
  }
  return parts;
}
