import type * as v from "valibot";
import type { Access, Right } from "../access/access.ts";
import type { Namespace } from "../channel/namespace.ts";
import type { MessageType, Schema } from "../messages/message_type.ts";
import type { ErrorCode } from "../protocol/error_codes.ts";
import type { TaskStatusData } from "../protocol/server_frames.ts";

/**
 * What a plug-in may do with the gateway. Each that takes time rejects with a LogError where the log is out of reach, and, whatever
 * goes on in the name of a call that was overdue, with what became of that.
 */
export interface PluginGateway {
  /** Publishes a value to a channel, whoever may; resolves with its position when it is durable. */
  publish(
    topic: string,
    payload: unknown,
    options?: { readonly key?: string; readonly eventId?: string },
  ): Promise<number>;
  /**
   * Appends an event of a task, as its worker would; resolves with its position when it is durable. The same `eventId` is
   * stored once, whichever gateway says it.
   */
  append(
    taskId: string,
    kind: string,
    body: Readonly<Record<string, unknown>>,
    options?: { readonly eventId?: string },
  ): Promise<number>;
  /** A task as this gateway has it in memory. */
  task(taskId: string): TaskStatusData | undefined;
  /** Whether whoever asks may see a task now. */
  sees(asker: Asker, taskId: string): Promise<boolean>;
  /** The tasks in memory that are part of this one. */
  childrenOf(taskId: string): readonly TaskStatusData[];
  /** The ids that tasks in memory name as those that they are part of. */
  parents(): readonly string[];
  /**
   * Some of the values of a channel that the log keeps, the oldest first: the first after a position, or the last before one. Of a
   * channel about a task those that came while `asker` could see it, where one is given; there may be more though there are none.
   */
  read(topic: string, page: ChannelQuery): Promise<ChannelPage>;
}

/** Which values of a channel are read. */
export type ChannelQuery =
  & ({ readonly afterSeq: number } | { readonly beforeSeq: number })
  & {
    readonly limit: number;
    readonly asker?: Asker;
    /** Ends it between two reads of the log. A call that is overdue ends its own. */
    readonly signal?: AbortSignal;
  };

/** Values of a channel as they were published; where there are more, `next_after_seq` or `next_before_seq` is where to go on. */
export type ChannelPage = {
  readonly values: readonly {
    readonly seq: number;
    readonly time: number;
    readonly key?: string;
    readonly payload: unknown;
  }[];
  readonly next_after_seq?: number;
  readonly next_before_seq?: number;
};

/** Who asks a plug-in, and when. */
export type Asker = {
  readonly access: Access;
  /** Ms since the epoch. */
  readonly nowMs: number;
};

/** A type of client message that a plug-in brings. */
export interface PluginMessage<S extends Schema = Schema> {
  /** What `type` the frame has: 1–64 characters that no other type has. */
  readonly type: string;
  /** What its `data` must look like. */
  readonly schema: S;
  /** The right that a token must carry. Default: `subscribe`. */
  readonly right?: Right;
  /** Tokens taken from the connection's rate. Default: 1. */
  readonly cost?: number;
  /** Answers; what it returns is the `data` of a `result` frame. Throws {@link PluginError} to refuse. */
  handle(data: v.InferOutput<S>, asker: Asker, gateway: PluginGateway): object | Promise<object>;
}

/** What happened to a task, or in a channel. */
export type Happened = {
  readonly seq: number;
  /** The task; absent where it is of a channel. */
  readonly taskId?: string;
  /** The channel; absent where it is of a task. */
  readonly topic?: string;
  /** Whether the task's status, or what describes it, is another; whether its counters are. */
  readonly status: boolean;
  readonly progress: boolean;
  /** How much more waits to be told: who sums up may do so when it is nothing. */
  readonly waiting: number;
};

/** What extends a gateway: message types, namespaces of channels, and what is done when something happens. */
export type Plugin = {
  /** 1–64 of `a-z0-9_-`. */
  readonly name: string;
  readonly messages?: readonly PluginMessage[];
  /** Types of message whose handlers answer with any frame there is, as the gateway's own do. They are not looked after as `messages` are. */
  readonly types?: readonly MessageType[];
  readonly namespaces?: readonly Namespace[];
  /**
   * Told that there is a state of which it was told nothing: at first, after that was built anew, and after too much waited to be
   * told of.
   */
  readonly onStart?: (gateway: PluginGateway) => void | Promise<void>;
  /** Told of what this gateway has followed, in order, one after the other. Every gateway of a log is. */
  readonly onPublish?: (happened: Happened, gateway: PluginGateway) => void | Promise<void>;
};

/** Says that this is a plug-in, and keeps the types of its messages. A module exports it as `default`. */
export function definePlugin(plugin: Plugin): Plugin {
  return plugin;
}

/** Keeps the type of `data` between a message's schema and its handler. */
export function definePluginMessage<S extends Schema>(message: PluginMessage<S>): PluginMessage {
  // Whoever calls the handler has parsed the data by this very schema.
  return message as unknown as PluginMessage;
}

/** What a handler throws to refuse what was asked, rightly. */
export class PluginError extends Error {
  override name = "PluginError";
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.code = code;
    this.details = details;
  }
}
