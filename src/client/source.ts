import type { AsOf, TaskStatusData } from "../protocol/server_frames.ts";
import type { ClientError } from "./client_error.ts";
import type { ConnectionState } from "./connection_state.ts";
import type { PushedFrame, Replay } from "./watch.ts";

/** What a subscription is to begin with. */
export type SubscribeOptions = {
  /** Default `latest`: the present state first. */
  readonly replay?: Replay;
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

/** What stores are made of. */
export interface Source {
  /** How the connection stands now. */
  readonly state: ConnectionState;
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
  getTasks(query?: TaskFilter & { readonly limit?: number; readonly page?: number }): Promise<TasksPage>;
}
