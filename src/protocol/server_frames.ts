import type { TaskStatus } from "./client_frames.ts";
import type { ErrorCode } from "./error_codes.ts";

/** A task's counters. `percentage` is 0–100 with at most two decimals, null while `total` is unknown or 0. */
export type ProgressData = {
  readonly total: number | null;
  readonly completed: number;
  readonly failed: number;
  readonly current: string | null;
  readonly percentage: number | null;
  readonly status: string | null;
  readonly attempt: number;
  /** Items (completed + failed) a second, from recent progress; null while unknown. */
  readonly rate: number | null;
  /** Milliseconds to the end at that rate; null while unknown. */
  readonly eta_ms: number | null;
};

/** A whole task, as `task_status` and `task_list` carry it. Times are RFC 3339 UTC. */
export type TaskStatusData = {
  readonly task_id: string;
  readonly status: TaskStatus;
  readonly start_time: string | null;
  readonly end_time: string | null;
  readonly attempt: number;
  readonly name: string | null;
  readonly type: string | null;
  readonly tags: readonly string[];
  readonly parent_id: string | null;
  readonly reason: string | null;
  readonly error: { readonly message: string; readonly code?: string } | null;
  readonly result: unknown;
  readonly progress: ProgressData;
  readonly created_time: string | null;
  /** Whether anything is heard of the worker of a task that is running or to be cancelled; null of any other task. */
  readonly liveness: "live" | "stale" | null;
};

/** As of when an answer about the past is. */
export type AsOf = {
  readonly epoch: string;
  /** The position: the one asked for, or the last there was. */
  readonly seq: number;
  /** Whether something may be missing from the answer that retention has taken, or that could not be looked at. */
  readonly truncated: boolean;
};

/** Tasks that fit a query, and how many do in all. */
export type TaskPage = {
  readonly tasks: readonly TaskStatusData[];
  readonly total: number;
  readonly next_page?: number;
  /** The size of page that `next_page` counts by, where it is not the one asked for: these tasks would have been too large. */
  readonly limit?: number;
};

/** One event of a task as `task_history` and the HTTP history list it: its body as the worker wrote it. */
export type HistoryEvent = {
  readonly seq: number;
  readonly time: string;
  readonly kind: string;
  readonly body: unknown;
};

/** A record of the log that is no event, as `/api/rejected` lists it. */
export type RejectedItem = {
  readonly seq: number;
  /** When the log took it, RFC 3339 UTC. */
  readonly time: string;
  readonly subject: string;
  /** The rule it breaks. */
  readonly reason: string;
  /** The size of its body, and the beginning of it as text. */
  readonly bytes: number;
  readonly preview: string;
};

/** A value of a channel; `key` is absent where the channel has but one. */
export type ChannelData = { readonly topic: string; readonly key?: string; readonly payload: unknown };

type ReplayData = { readonly mode: "latest" | "none" | "all"; readonly truncated: boolean };

/** What a pushed or answered frame of each type carries as `data`. */
export type ServerData = {
  welcome: {
    readonly connection_id: string;
    readonly client_id: string;
    readonly server_time: number;
    readonly epoch: string;
    readonly seq: number;
    readonly heartbeat: { readonly interval_ms: number; readonly timeout_ms: number };
    readonly limits: {
      readonly max_message_bytes: number;
      readonly max_topics: number;
      readonly messages_per_second: number;
      readonly messages_burst: number;
    };
    readonly topics: readonly string[];
    /** When its token expires, ms since the epoch; absent where the connection never does. */
    readonly expires_at?: number;
    /** The part of the tasks that this gateway knows, from 0 on; absent where it knows all. */
    readonly partition?: number;
    /** How many parts there are. */
    readonly partitions?: number;
  };
  authenticated: { readonly expires_at?: number };
  subscribed: {
    readonly topics: readonly string[];
    readonly epoch: string;
    readonly seq: number;
    readonly recovered?: boolean;
    readonly replay?: ReplayData;
  };
  unsubscribed: { readonly topics: readonly string[]; readonly epoch: string; readonly seq: number };
  pong: { readonly server_time: number; readonly seq?: number };
  task_progress: { readonly task_id: string; readonly progress: ProgressData };
  progress_delta: {
    readonly task_id: string;
    /** The position of the event whose frame told the members that are not here. */
    readonly base: number;
    readonly progress: Partial<ProgressData>;
  };
  task_status: TaskStatusData & { readonly at?: AsOf };
  task_list:
    | (TaskPage & { readonly at?: AsOf })
    | { readonly tasks: readonly TaskStatusData[]; readonly removed: readonly string[] };
  task_history: {
    readonly task_id: string;
    readonly events: readonly HistoryEvent[];
    readonly next_after_seq?: number;
  };
  cancel_requested: { readonly task_id: string; readonly seq: number };
  data_update: ChannelData;
  strategy_update: ChannelData;
  channel_update: ChannelData;
  /** What a message of a plug-in is answered. */
  result: Readonly<Record<string, unknown>>;
  published: { readonly topic: string; readonly seq: number };
  caught_up: { readonly topics: readonly string[]; readonly seq: number };
  gap: {
    readonly topics: readonly string[];
    readonly missed_from: number;
    readonly missed_to: number;
    readonly reason: "retention" | "epoch";
    /** The life of the stream that positions belong to from here on. */
    readonly epoch: string;
  };
  drain: { readonly reconnect_after_ms: number; readonly seq?: number; readonly epoch: string };
};

/** What `error` frames carry. */
export type ErrorBody = {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
};

/** Why what was asked for, rightly, cannot be had. */
export type Refused = { readonly refused: ErrorBody };

/** A frame from server to client. `seq` is the stream position of the event it tells of. */
export type ServerFrame =
  | {
    readonly [T in keyof ServerData]: {
      readonly type: T;
      readonly id: string;
      readonly timestamp: number;
      readonly data: ServerData[T];
      readonly seq?: number;
      /** Whether it tells how a task is, for who has just come to a topic, and not what happened. */
      readonly snapshot?: true;
    };
  }[keyof ServerData]
  | { readonly type: "error"; readonly id: string; readonly timestamp: number; readonly error: ErrorBody };
