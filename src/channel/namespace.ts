import type * as v from "valibot";
import type { TopicShape } from "../protocol/topic_shape.ts";
import type { EventRecord, Parsed } from "../task/worker_event.ts";

/**
 * What becomes of values of which there are newer ones before they were sent: `latest` keeps the newest of each key, `all` keeps
 * every one, and `none` keeps none for whoever is behind: they are for those who are live.
 */
export type Conflation = "latest" | "all" | "none";

/**
 * A namespace of topics: of channels, `<name>:<anything>`, or `task:id:<task_id>:<name>` where each is about a task; or one with
 * records of its own, as that of tasks is.
 */
export type Namespace = {
  /** 1–32 of `a-z0-9_`, a letter first. */
  readonly name: string;
  /** What its channels are about. Who may see a task may follow what is about it, and nobody else. Default: nothing. */
  readonly of?: "task";
  /** Default: `latest`. */
  readonly conflation?: Conflation;
  /** Whether who comes to a channel gets the last value of each key. Default: of all but `none`, of which nothing is. */
  readonly retained?: boolean;
  /** What its values must look like. Default: any JSON. */
  readonly payload?: v.GenericSchema;
  /** What lies in the log where it is no values of channels. Only what the projection folds can be. */
  readonly records?: OwnRecords;
  /** The shapes of its topics, and which frames they bring. Default: one shape, which brings `channel_update`. */
  readonly topics?: readonly TopicShape[];
};

/** Records that are no values of channels: under subjects that begin with `<space>.`, relative to the prefix. */
export type OwnRecords = {
  readonly space: string;
  /** Understands one, or says in one sentence why it is none. Never throws. */
  readonly read: (record: EventRecord) => Parsed;
};

/** The shapes of the topics of a namespace. */
export function topicsOfNamespace({ name, of, topics }: Namespace): readonly TopicShape[] {
  const shape = of === "task" ? `task:id:<task_id>:${name}` : `${name}:<name>`;
  return topics ?? [{ shape, brings: ["channel_update"] }];
}

/** Whether who comes to a channel of it gets its last values. */
export function retains({ retained, conflation }: Pick<Namespace, "retained" | "conflation">): boolean {
  return retained ?? conflation !== "none";
}
