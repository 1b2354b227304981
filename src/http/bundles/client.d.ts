/** A point of the past: a position of the stream, or a time (RFC 3339, or ms since the epoch). */
export type At = { readonly seq: number } | {
  readonly time: string | number;
};

/** A connection to a gateway that outlives networks, gateways and tabs put to sleep. */
export interface Client extends Source {
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

/** How a client is made. Times in ms. */
export type ClientOptions = {
  /** Asked for a token before each connection, and before the one in use expires. */ readonly token?: Token;
  /** Names this client across its connections: 1–128 of `A-Za-z0-9._:-`. */
  readonly clientId?: string;
  /**
   * Default `websocket`. `sse` for networks that let none through: Server-Sent Events, and HTTP for requests. `auto`
   * takes those once two WebSockets in a row were opened in vain.
   */
  readonly transport?: Transport;
  /** `shareTabs()`, of a module of its own: tabs of one origin share one connection. */
  readonly tabs?: Tabs;
  /** Where the runtime has no WebSocket of its own; or `compact()`, of a module of its own, which takes fewer bytes. */
  readonly WebSocket?: WebSocketClass;
  /** What subscriptions and stores that do not say have for `maxRateHz`: 0.1 to 50. Default: as often as something comes. */
  readonly maxRateHz?: number;
  /** Until a connection must be greeted. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** Until a request must be answered, from when the gateway takes it. Default 10,000. */
  readonly requestTimeoutMs?: number;
  /** Requests that may wait while there is no connection. Default 1,024. */
  readonly maxWaiting?: number;
  /** The first wait after a lost connection is at most this, default 500; the longest at most `longestWaitMs`. */
  readonly firstWaitMs?: number;
  /** Default 30,000. */
  readonly longestWaitMs?: number;
  /** For tests: another time, other luck, other sockets. */
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly open?: OpenSocket;
};

/** How the connection stands, as far as anybody outside needs it. */
export type ConnectionState = { readonly kind: "connecting" } | {
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

/** One event of a task as `task_history` and the HTTP history list it: its body as the worker wrote it. */
export type HistoryEvent = {
  readonly seq: number;
  readonly time: string;
  readonly kind: string;
  readonly body: unknown;
};

/** What is pushed to those who subscribed. */
export type PushedFrame = NewsFrame | Extract<ServerFrame, { type: "task_list" | "gap" | "caught_up" }>;

/** What a subscription starts with: the present state, nothing, or all that is retained of the past. */
export type Replay = "latest" | "none" | "all";

/** What stores are made of. */
export interface Source {
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

/** A value that changes, as React's `useSyncExternalStore`, Svelte's `$` and Vue take it in one line. */
export interface Store<T> {
  /** Calls `listener` now and after each change; returns how to stop that. While nobody listens nothing is subscribed to. */
  subscribe(listener: (value: T) => void): () => void;
  /** The value as it is; the same object until it changes. */
  getSnapshot(): T;
}

/** What a subscription is to begin with. */
export type SubscribeOptions = {
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
export type Subscription = { readonly unsubscribe: () => void };

/** Whose connection a client uses: its own, its own that other tabs share, or another tab's. */
export type TabRole = "own" | "leading" | "following";

/** Makes a client one of those that share. Undefined where it cannot be: then it has a connection of its own. */
export type Tabs = (connection: OwnConnection) => TabShare | undefined;

/** Which tasks; all that is given must fit. */
export type TaskFilter = {
  readonly status?: TaskStatusData["status"];
  readonly tag?: string;
  readonly parent_id?: string;
  readonly type?: string;
};

/** A page of tasks, and how many there are in all. */
export type TasksPage = {
  readonly tasks: readonly TaskStatusData[];
  readonly total: number;
  readonly next_page?: number;
  /** The size of page that `next_page` counts by, where it is not the one asked for: these tasks were too large for it. */
  readonly limit?: number;
  /** Where it was asked how the tasks were: as of when that is, and whether something may be missing. */
  readonly at?: AsOf;
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

/** Tasks as a page shows them. */
export type TasksView = ConnectedView & {
  /** The newest first. */ readonly tasks: readonly TaskStatusData[];
  /** Whether the first answer is still to come. */
  readonly isLoading: boolean;
};

/** A task as a page shows it. */
export type TaskView = ConnectedView & {
  /** Undefined until the gateway has told of it: it may not exist yet. */ readonly status:
    | TaskStatusData["status"]
    | undefined;
  readonly progress: ProgressData | undefined;
  /** Milliseconds to its end as of the last word of it, or null. */
  readonly eta: number | null;
  /** The whole task, as of its last change of status. */
  readonly task: TaskStatusData | undefined;
};

/** How frames travel: `auto` begins with WebSockets, and takes streams where those do not get through. */
export type Transport = "websocket" | "sse" | "auto";

/** The world's failure, as the promises of the client reject with it. */
export declare class ClientError extends Error {
  name: string;
  /** What kind of failure. */
  readonly code: ClientErrorCode;
  /** What the gateway said of it. */
  readonly details: Readonly<Record<string, unknown>>;
  constructor(code: ClientErrorCode, message: string, details?: Readonly<Record<string, unknown>>);
}

/** Connects to a gateway: `ws(s)://…/ws`, or `http(s)://…` of it. It never throws: a gateway that is away is waited for. */
export declare function connect(url: string | URL, options?: ClientOptions): Client;

/** As of when an answer about the past is. */
type AsOf = {
  readonly epoch: string;
  /** The position: the one asked for, or the last there was. */
  readonly seq: number;
  /** Whether something may be missing from the answer that retention has taken, or that could not be looked at. */
  readonly truncated: boolean;
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

/** Where tokens come from. */
type Token = () => string | undefined | Promise<string | undefined>;

/** How a WebSocket is made. */
type WebSocketClass = new (url: string, protocols?: string[]) => WebSocketLike;

/** Time as the client needs it, so that tests own it. */
interface Clock {
  /** Ms since the epoch. */ now(): number;
  /** Ms since some moment, by a clock that nobody sets; {@link now} where there is none. */
  elapsed?(): number;
  /** Calls `run` once after `delayMs`; returns how to call it off. */
  after(delayMs: number, run: () => void): () => void;
}

/** Opens a socket; it never throws: what fails is told as `ended`. */
type OpenSocket = (url: string, listener: SocketListener) => Socket;

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

/** How a client would connect by itself. */
type OwnConnection = {
  readonly url: string;
  readonly clientId?: string;
  /** Where it has one, it shares with nobody unless it is said whose connection that is. */
  readonly token?: unknown;
  readonly clock: Clock;
  readonly open: OpenSocket;
};

/** The place of a client among those that share. */
interface TabShare {
  readonly role: TabRole;
  /** What the client opens its sockets with: to it the other tabs are a network. */
  readonly open: OpenSocket;
  /** How the connection stands: who is linked to a leader is as connected as that one. */
  shown(own: ConnectionState): ConnectionState;
  /** Joins the others. The client opens nothing before. */
  begin(client: SharedClient): void;
}

/** One of {@link TASK_STATUSES}. */
type TaskStatus = (typeof TASK_STATUSES)[number];

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

/** The part of a WebSocket that is used; browsers, Deno, Node ≥ 22 and Bun have one, and `ws` is one too. */
interface WebSocketLike {
  readonly readyState: number;
  onmessage:
    | ((event: {
      data: unknown;
    }) => void)
    | null;
  onclose:
    | ((event: {
      code: number;
      reason?: string;
    }) => void)
    | null;
  onerror: ((event: never) => void) | null;
  send(text: string): void;
  close(code?: number): void;
}

/** What is heard of a socket. After `ended` nothing more. */
type SocketListener = {
  readonly message: (text: string) => void;
  readonly ended: (code: number, why?: string) => void;
};

/** A connection that carries frames as text, whatever it is made of. */
interface Socket {
  /** Sends one frame. What is sent to a socket that is not open is lost. */ send(text: string): void;
  /** Closes it. Nothing comes of it any more. */
  close(): void;
}

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

/** What the client of a tab that leads gives to the others, and what moves it from one connection to another. */
interface SharedClient extends Source {
  /** Up to where what it holds was brought. */ readonly cursor: Cursor | undefined;
  /** Whether what comes is of so long ago that nothing is live, for all that is known. */
  readonly isLate: boolean;
  /** As `subscribe`. Whoever is told must not throw. */
  watch(asking: Asking): Subscription;
  /**
   * Watches what was brought up to `since` elsewhere: what follows there comes first. Undefined where a topic of it is just
   * being asked for otherwise: then it cannot be now.
   */
  resume(askings: readonly Asking[], since: Cursor): readonly Subscription[] | undefined;
  /** Asks the gateway; resolves with the data of its answer, or rejects with a `ClientError`. */
  ask(type: string, data: Readonly<Record<string, unknown>>): Promise<unknown>;
  /** Leaves the connection that there is, and makes another at once. */
  anew(): void;
  /** Says that what comes is late elsewhere, before it comes here; or is so no more. */
  late(isLate: boolean): void;
  /** Tells how the connection stands, where that has changed. */
  tellState(): void;
}

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

/** One of {@link ERROR_CODES}. */
type ErrorCode = keyof typeof ERROR_CODES;

/** A position, and the life of the stream it is a position in. */
type Cursor = { readonly epoch: string; readonly seq: number };

/** What somebody wants to see. */
type Asking = Omit<Watch, "told">;

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

/** What somebody here wants to see, and was told of. */
type Watch = {
  readonly told: Told;
  readonly topics: readonly string[];
  readonly replay: Replay;
  /** So often a second progress and values need to come; as often as they do, where it does not say. */
  readonly maxRateHz?: number | undefined;
  readonly onFrame: (frame: PushedFrame) => void;
  /** Told each time what was missed is there and what follows is live, and when that is so no more. */
  readonly onLive: (isLive: boolean) => void;
  /** Told when of the past that it wants the beginning is gone. */
  readonly onTruncated: () => void;
  /** Told when one of its topics may not be held: it is watched no more then. Told once when some have to wait. */
  readonly onError: (error: ClientError) => void;
  /** Told when a topic begins anew for somebody else: of what happens meanwhile it may hear only what came of it. */
  readonly onAnew?: () => void;
};

/** What somebody was told: up to which position of each task, and what is not told twice. */
declare class Told {
  #private;
  /** That what comes is live. */
  isLive: boolean;
  /** Nothing yet: who has just come to topics that others watch is about to be told how things are. */
  isNew: boolean;
  /** That some topics have to wait. */
  ofWaiting: boolean;
  /** That the beginning of the past is gone. */
  ofTruncation: boolean;
  /** Whether a frame is to be told; what it tells of a task is no news any more then. */
  isNews(frame: ServerFrame): boolean;
  /** Forgets every position: they mean something else now. */
  clear(): void;
}

export {};
