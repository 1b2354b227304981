/** A position, and the life of the stream it is a position in. */
export type Cursor = { readonly epoch: string; readonly seq: number };

/** A request about topics. */
export type TopicRequest =
  | { readonly type: "subscribe"; readonly topics: readonly string[]; readonly since: Cursor }
  | { readonly type: "subscribe"; readonly topics: readonly string[]; readonly replay: string }
  | { readonly type: "unsubscribe"; readonly topics: readonly string[] };

/** So often a second progress and values come to who asks for no less. */
export const MAX_RATE_HZ = 50;

/** What a gateway takes, as its `welcome` says it. */
export type TopicLimits = {
  /** How many topics a connection may hold. */
  readonly max_topics: number;
  /** The largest message. */
  readonly max_message_bytes: number;
  /** What the names of all topics held may weigh in a URL: there is none but over streams. */
  readonly max_url_bytes: number;
};

/** So many topics a gateway takes in one request. */
const MAX_TOPICS = 1_024;
/** No topic has a longer name, in UTF-16 code units; each of them has three bytes at most. */
const MAX_NAME = 160;
const NAME_BYTES = 3 * MAX_NAME;
/** What a request weighs beside its topics at most. */
const FRAME_BYTES = 256;

/** Whether this is longer than the name of any topic. */
export function isTooLong(name: string): boolean {
  return name.length > MAX_NAME;
}

/** What a name weighs in a URL, bytes. */
export function urlBytesOf(name: string): number {
  return String(new URLSearchParams({ "": name })).length;
}

/** These topics, in requests that a gateway takes however long their names are. */
export function parted(names: readonly string[], limits: TopicLimits): readonly string[][] {
  const most = Math.max(
    1,
    Math.min(MAX_TOPICS, Math.floor((limits.max_message_bytes - FRAME_BYTES) / NAME_BYTES)),
  );
  return names.flatMap((_, i) => i % most === 0 ? [names.slice(i, i + most)] : []);
}
