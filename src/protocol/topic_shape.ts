/** A shape that topics have, and which frames they bring. */
export type TopicShape = {
  /** As PROTOCOL.md writes it, with `<…>` for what varies. */
  readonly shape: string;
  readonly brings: readonly string[];
};
