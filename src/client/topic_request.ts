/** A position, and the life of the stream it is a position in. */
export type Cursor = { readonly epoch: string; readonly seq: number };

/** A request about topics. */
export type TopicRequest =
  | { readonly type: "subscribe"; readonly topics: readonly string[]; readonly since: Cursor }
  | { readonly type: "subscribe"; readonly topics: readonly string[]; readonly replay: string }
  | { readonly type: "unsubscribe"; readonly topics: readonly string[] };
