/** A member that was sealed and could not be opened; it is shown as it came. */
export type Trouble = { readonly taskId: string; readonly member: SealedMember; readonly why: Unopened };

/** Keys, which are looked at whenever one is wanted, and who is told of what they do not open. */
export type DecryptionOptions = { keys: Keys; readonly onTrouble?: (trouble: Trouble) => void };

/** Opens what workers sealed. What was never sealed stays as it is. The constructor throws a `TypeError` for keys that are none. */
export declare class Decryption {
  #private;
  constructor(options: DecryptionOptions);
  /** What was pushed, with what is in it of tasks opened. */
  frame(frame: PushedFrame): Promise<PushedFrame>;
  /** Tasks as their workers told of them. */
  tasks(tasks: readonly TaskStatusData[]): Promise<readonly TaskStatusData[]>;
  /** A task as its worker told of it. */
  task<T extends TaskStatusData>(task: T): Promise<T>;
  /** Counters as the worker told them. `rate` and `eta_ms` stay unknown where gateways could not read them. */
  progress(taskId: string, progress: ProgressData): Promise<ProgressData>;
  /** An event of a task's history, its body as the worker wrote it. */
  event(taskId: string, event: HistoryEvent): Promise<HistoryEvent>;
}

/** What a client can open by itself. */
export type DecryptingClient = Pick<
  Client,
  "state" | "onState" | "subscribe" | "task" | "tasks" | "getTask" | "getTasks" | "getHistory"
>;

/**
 * Reads through `client` what workers sealed under these keys: frames, tasks, histories and stores come opened, in the order in
 * which they came. Everything else is asked of `client` itself. Throws a `TypeError` for keys that are none.
 */
export declare function decrypting(client: Client, options: DecryptionOptions): DecryptingClient;

/** What a worker says that nobody but the holders of a key may read. Each stands in one place of an event, and of a frame. */
type SealedMember = "name" | "progress" | "reason" | "error" | "result";

/** Why something sealed could not be opened. `forged`: it is of another task or member, or was changed. */
type Unopened = "no such key" | "forged";

/** Keys by their ids, each 1–16 of `A-Za-z0-9_-`. */
type Keys = Readonly<Record<string, KeyMaterial>>;

/** What is pushed to those who subscribed. */
type PushedFrame = NewsFrame | Extract<ServerFrame, { type: "task_list" | "gap" | "caught_up" }>;

/** A whole task, as `task_status` and `task_list` carry it. Times are RFC 3339 UTC. */
type TaskStatusData = {
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
  readonly error: {
    readonly message: string;
    readonly code?: string;
  } | null;
  readonly result: unknown;
  readonly progress: ProgressData;
  readonly created_time: string | null;
  /** Whether anything is heard of the worker of a task that is running or to be cancelled; null of any other task. */
  readonly liveness: "live" | "stale" | null;
};

/** A task's counters. `percentage` is 0–100 with at most two decimals, null while `total` is unknown or 0. */
type ProgressData = {
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

/** One event of a task as `task_history` and the HTTP history list it: its body as the worker wrote it. */
type HistoryEvent = {
  readonly seq: number;
  readonly time: string;
  readonly kind: string;
  readonly body: unknown;
};

/** A connection to a gateway that outlives networks, gateways and tabs put to sleep. */
interface Client extends Source {
  /** Whose connection it uses: its own, its own that other tabs share, or another tab's. */ readonly tab:
    TabRole;
  /** One task, as a store. */
  task(id: string): Store<TaskView>;
  /** Tasks that fit a filter, the newest first, as a store. */
  tasks(filter?: TaskFilter): Store<TasksView>;
  /** One task as it is; as it was at `at`. Rejects with {@link ClientError} `TASK_NOT_FOUND`, among others. */
  getTask(id: string, options?: {
    readonly at?: At;
  }): Promise<
    TaskStatusData & {
      readonly at?: AsOf;
    }
  >;
  /** A page of the tasks that fit. */
  getTasks(
    query?: TaskFilter & {
      readonly limit?: number;
      readonly page?: number;
      readonly at?: At;
    },
  ): Promise<TasksPage>;
  /** A page of a task's events as they were written. */
  getHistory(id: string, options?: {
    readonly afterSeq?: number;
    readonly limit?: number;
  }): Promise<ServerData["task_history"]>;
  /** Asks a task to stop; resolves with the position of that request when it is in the log. */
  cancel(id: string, reason?: string): Promise<{
    readonly task_id: string;
    readonly seq: number;
  }>;
  /** Publishes a value, any JSON, to a channel; resolves with its position when it is in the log. */
  publish(topic: string, payload: unknown, key?: string): Promise<{
    readonly topic: string;
    readonly seq: number;
  }>;
  /**
   * Asks what a plug-in of the gateway answers, by the type of its messages; what is undefined in `data` is not sent. Over a
   * WebSocket alone. After a lost connection it is asked again.
   */
  ask<T>(type: string, data: Readonly<Record<string, unknown>>): Promise<T>;
  /** Ends it for good. What still waits for an answer is rejected. */
  close(): void;
}

/** A key of AES-256: its 32 bytes, or those in base64 or base64url; or as WebCrypto has it, for AES-GCM. */
type KeyMaterial = string | Uint8Array | CryptoKey;

/** A frame that tells what is so now of something: of a task, or of a key of a channel. */
type NewsFrame = TaskFrame | ValueFrame;

/** A frame from server to client. `seq` is the stream position of the event it tells of. */
type ServerFrame =
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
  | {
    readonly type: "error";
    readonly id: string;
    readonly timestamp: number;
    readonly error: ErrorBody;
  };

/** One of {@link TASK_STATUSES}. */
type TaskStatus = (typeof TASK_STATUSES)[number];

/** What stores are made of. */
interface Source {
  /** How the connection stands now. */ readonly state: ConnectionState;
  /** Calls `listener` at each change of {@link state}; returns how to stop that. */
  onState(listener: (state: ConnectionState) => void): () => void;
  /**
   * Hands frames of these topics to `onFrame`, each event once, in order, through lost connections: what happened
   * meanwhile comes first, or a `gap` says that it cannot. What is asked for in one turn goes as one request.
   */
  subscribe(
    topics: string | readonly string[],
    onFrame: (frame: PushedFrame) => void,
    options?: SubscribeOptions,
  ): Subscription;
  /** A page of the tasks that fit. */
  getTasks(
    query?: TaskFilter & {
      readonly limit?: number;
      readonly page?: number;
    },
  ): Promise<TasksPage>;
}

/** Whose connection a client uses: its own, its own that other tabs share, or another tab's. */
type TabRole = "own" | "leading" | "following";

/** A value that changes, as React's `useSyncExternalStore`, Svelte's `$` and Vue take it in one line. */
interface Store<T> {
  /** Calls `listener` now and after each change; returns how to stop that. While nobody listens nothing is subscribed to. */
  subscribe(listener: (value: T) => void): () => void;
  /** The value as it is; the same object until it changes. */
  getSnapshot(): T;
}

/** A task as a page shows it. */
type TaskView = ConnectedView & {
  /** Undefined until the gateway has told of it: it may not exist yet. */ readonly status:
    | TaskStatusData["status"]
    | undefined;
  readonly progress: ProgressData | undefined;
  /** Milliseconds to its end as of the last word of it, or null. */
  readonly eta: number | null;
  /** The whole task, as of its last change of status. */
  readonly task: TaskStatusData | undefined;
};

/** Which tasks; all that is given must fit. */
type TaskFilter = {
  readonly status?: TaskStatusData["status"];
  readonly tag?: string;
  readonly parent_id?: string;
  readonly type?: string;
};

/** Tasks as a page shows them. */
type TasksView = ConnectedView & {
  /** The newest first. */ readonly tasks: readonly TaskStatusData[];
  /** Whether the first answer is still to come. */
  readonly isLoading: boolean;
};

/** A point of the past: a position of the stream, or a time (RFC 3339, or ms since the epoch). */
type At = { readonly seq: number } | {
  readonly time: string | number;
};

/** As of when an answer about the past is. */
type AsOf = {
  readonly epoch: string;
  /** The position: the one asked for, or the last there was. */
  readonly seq: number;
  /** Whether something may be missing from the answer that retention has taken, or that could not be looked at. */
  readonly truncated: boolean;
};

/** A page of tasks, and how many there are in all. */
type TasksPage = {
  readonly tasks: readonly TaskStatusData[];
  readonly total: number;
  readonly next_page?: number;
  /** The size of page that `next_page` counts by, where it is not the one asked for: these tasks were too large for it. */
  readonly limit?: number;
  /** Where it was asked how the tasks were: as of when that is, and whether something may be missing. */
  readonly at?: AsOf;
};

/** What a pushed or answered frame of each type carries as `data`. */
type ServerData = {
  welcome: {
    readonly connection_id: string;
    readonly client_id: string;
    readonly server_time: number;
    readonly epoch: string;
    readonly seq: number;
    readonly heartbeat: {
      readonly interval_ms: number;
      readonly timeout_ms: number;
    };
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
  authenticated: {
    readonly expires_at?: number;
  };
  subscribed: {
    readonly topics: readonly string[];
    readonly epoch: string;
    readonly seq: number;
    readonly recovered?: boolean;
    readonly replay?: ReplayData;
  };
  unsubscribed: {
    readonly topics: readonly string[];
    readonly epoch: string;
    readonly seq: number;
  };
  pong: {
    readonly server_time: number;
    readonly seq?: number;
  };
  task_progress: {
    readonly task_id: string;
    readonly progress: ProgressData;
  };
  progress_delta: {
    readonly task_id: string;
    /** The position of the event whose frame told the members that are not here. */
    readonly base: number;
    readonly progress: Partial<ProgressData>;
  };
  task_status: TaskStatusData & {
    readonly at?: AsOf;
  };
  task_list:
    | (TaskPage & {
      readonly at?: AsOf;
    })
    | {
      readonly tasks: readonly TaskStatusData[];
      readonly removed: readonly string[];
    };
  task_history: {
    readonly task_id: string;
    readonly events: readonly HistoryEvent[];
    readonly next_after_seq?: number;
  };
  cancel_requested: {
    readonly task_id: string;
    readonly seq: number;
  };
  data_update: ChannelData;
  strategy_update: ChannelData;
  channel_update: ChannelData;
  /** What a message of a plug-in is answered. */
  result: Readonly<Record<string, unknown>>;
  published: {
    readonly topic: string;
    readonly seq: number;
  };
  caught_up: {
    readonly topics: readonly string[];
    readonly seq: number;
  };
  gap: {
    readonly topics: readonly string[];
    readonly missed_from: number;
    readonly missed_to: number;
    readonly reason: "retention" | "epoch";
    /** The life of the stream that positions belong to from here on. */
    readonly epoch: string;
  };
  drain: {
    readonly reconnect_after_ms: number;
    readonly seq?: number;
    readonly epoch: string;
  };
};

/** A frame that tells of one task. */
type TaskFrame = Extract<ServerFrame, { type: "task_progress" | "task_status" }>;

/** A frame that carries a value of a channel. */
type ValueFrame = Extract<ServerFrame, { type: "data_update" | "strategy_update" | "channel_update" }>;

/** What `error` frames carry. */
type ErrorBody = {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
};

/** Every status a task can have. The last three are terminal. */
declare const TASK_STATUSES: readonly [
  "pending",
  "running",
  "paused",
  "cancelling",
  "retrying",
  "failed",
  "cancelled",
  "completed",
];

/** How the connection stands, as far as anybody outside needs it. */
type ConnectionState = { readonly kind: "connecting" } | {
  readonly kind: "open";
} /** Until `retryAtMs` (ms since the epoch) nothing is tried, or until the network is back. */ | {
  readonly kind: "waiting";
  readonly retryAtMs: number | undefined;
  readonly why: string;
} /** For good: `code` is the close code of the gateway that does not want the client back. */ | {
  readonly kind: "closed";
  readonly why: string;
  readonly code: number | undefined;
};

/** What a subscription is to begin with. */
type SubscribeOptions = {
  /** Default `latest`: the present state first. */ readonly replay?: Replay;
  /**
   * So often a second, 0.1 to 50, progress and values of channels need to come, each time the newest; changes of status come
   * at once all the same. It is the connection that is paced: it goes as fast as whoever asks for the most, and who
   * does not say asks for all. Default: that of the client.
   */
  readonly maxRateHz?: number | undefined;
  /** Told each time everything missed is there and what comes is live, and when that is so no more, or comes late. */
  readonly onLive?: (isLive: boolean) => void;
  /** Told when of the past that was asked for (`replay: "all"`) the beginning is no longer retained. */
  readonly onTruncated?: () => void;
  /**
   * Told when a topic does not exist or may not be held: the subscription is over then. Told once, too, when the gateway
   * holds no more topics of a connection (`LIMIT_EXCEEDED`): those in `details.topics` wait until others are given up.
   */
  readonly onError?: (error: ClientError) => void;
};

/** A subscription that can be given up. */
type Subscription = { readonly unsubscribe: () => void };

/** What every view of tasks says of how it came about. */
type ConnectedView = {
  readonly connection: ConnectionState["kind"];
  /**
   * Whether this may not be how it is by now: the connection is gone or does not answer, what was missed is still being
   * read, or what comes is late.
   */
  readonly isStale: boolean;
  readonly error: ClientError | undefined;
};

type ReplayData = {
  readonly mode: "latest" | "none" | "all";
  readonly truncated: boolean;
};

/** Tasks that fit a query, and how many do in all. */
type TaskPage = {
  readonly tasks: readonly TaskStatusData[];
  readonly total: number;
  readonly next_page?: number;
  /** The size of page that `next_page` counts by, where it is not the one asked for: these tasks would have been too large. */
  readonly limit?: number;
};

/** A value of a channel; `key` is absent where the channel has but one. */
type ChannelData = { readonly topic: string; readonly key?: string; readonly payload: unknown };

/** One of {@link ERROR_CODES}. */
type ErrorCode = keyof typeof ERROR_CODES;

/** What a subscription starts with: the present state, nothing, or all that is retained of the past. */
type Replay = "latest" | "none" | "all";

/** The world's failure, as the promises of the client reject with it. */
declare class ClientError extends Error {
  name: string;
  /** What kind of failure. */
  readonly code: ClientErrorCode;
  /** What the gateway said of it. */
  readonly details: Readonly<Record<string, unknown>>;
  constructor(code: ClientErrorCode, message: string, details?: Readonly<Record<string, unknown>>);
}

/** Every error code a client can meet, on the socket and in HTTP problem documents, with its HTTP status. */
declare const ERROR_CODES: {
  readonly INVALID_MESSAGE: {
    readonly httpStatus: 400;
    readonly meaning: "the message does not follow the protocol";
  };
  readonly UNAUTHORIZED: {
    readonly httpStatus: 401;
    readonly meaning: "no valid token was given";
  };
  readonly FORBIDDEN: {
    readonly httpStatus: 403;
    readonly meaning: "the token does not carry that right";
  };
  readonly TOPIC_NOT_FOUND: {
    readonly httpStatus: 404;
    readonly meaning: "no such topic; details.topics lists the offenders";
  };
  readonly TASK_NOT_FOUND: {
    readonly httpStatus: 404;
    readonly meaning: "no event of that task is in the log";
  };
  readonly LIMIT_EXCEEDED: {
    readonly httpStatus: 413;
    readonly meaning: "a bound was reached; details.limit names it, details.max is it";
  };
  readonly RATE_LIMITED: {
    readonly httpStatus: 429;
    readonly meaning: "too many messages; details.retry_after_ms says when to go on";
  };
  readonly SERVER_ERROR: {
    readonly httpStatus: 500;
    readonly meaning: "our fault; details.incident is in the server's log";
  };
};

/** Why something that was asked of the client did not come about. */
type ClientErrorCode =
  /** The gateway answered with an error frame; `code` is its own. */
  | "INVALID_MESSAGE"
  | "UNAUTHORIZED"
  | "FORBIDDEN"
  | "TOPIC_NOT_FOUND"
  | "TASK_NOT_FOUND"
  | "LIMIT_EXCEEDED"
  | "RATE_LIMITED"
  | "SERVER_ERROR"
  /** No answer came in time. */
  | "TIMEOUT"
  /** More was asked while there was no connection than is kept. */
  | "QUEUE_FULL"
  /** The client was closed, or the gateway does not want it back. */
  | "CLOSED";

export {};
