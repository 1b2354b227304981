import { PluginToAdd } from "../http/plugin_routes.ts";
import * as v from "valibot";
import { MAX_VALUES } from "../http/channel_routes.ts";
import { CLOUD_EVENT_TYPES, MAX_EVENTS, WORKER_TYPES } from "../http/worker_events.ts";
import {
  CancelTaskData,
  ChannelPublication,
  GetHistoryData,
  GetTaskData,
  GetTasksData,
} from "../protocol/client_frames.ts";
import {
  CancelRequestedSchema,
  TaskAnswerSchema,
  TaskHistorySchema,
  TaskPageSchema,
} from "../protocol/server_schemas.ts";
import { STREAM_PATH } from "../protocol/topics.ts";
import { CloudEvent } from "../task/cloud_event.ts";
import { EventKey } from "../task/event_key.ts";
import { BODIES, KINDS } from "../task/worker_event.ts";
import { type QueryParameter, STREAM_QUERY } from "./connecting_query.ts";
import {
  AppendedAnswer,
  ChannelsAnswer,
  HealthAnswer,
  PluginsAnswer,
  PublishedAnswer,
  ReadinessAnswer,
  RejectedAnswer,
  TicketAnswer,
} from "./http_answers.ts";
import type { Named } from "./json_schema.ts";

/** An object whose members are known. */
export type Members = v.GenericSchema & { readonly entries: v.ObjectEntries };

/** What can be asked over HTTP at one path in one way. */
export type HttpOperation = {
  readonly id: string;
  readonly method: "get" | "post" | "delete";
  /** As the router has it. */
  readonly path: string;
  /** What `:name` in the path must be; `:id` is a task's. */
  readonly params?: Readonly<Record<string, v.GenericSchema>>;
  readonly summary: string;
  /** Who may: everybody; who shows a token where one is asked for; the same with a ticket; scrapers too. */
  readonly open: "everybody" | "token" | "ticket" | "metrics";
  /** The message of the socket that asks the same: its members are the query's parameters. */
  readonly asks?: Members;
  /** Further parameters of the query. */
  readonly query?: readonly QueryParameter[];
  /** Parameters that are headers. */
  readonly headers?: readonly QueryParameter[];
  /** The body, by its type; `isOptional` where it may be left out. */
  readonly body?: {
    readonly types: Readonly<Record<string, v.GenericSchema>>;
    readonly isOptional?: boolean;
  };
  /** What comes where nothing is wrong: JSON by a schema, or what is of that type. */
  readonly answers: Readonly<Record<number, v.GenericSchema | string>>;
  /** The statuses of the problems there may be, beside those of every operation. */
  readonly problems: readonly number[];
};

const event_id = v.optional(EventKey);
const events = KINDS.map((kind) => v.object({ kind: v.literal(kind), event_id, ...BODIES[kind].entries }));

/** A worker's event as the body of a request has it. */
export const WorkerEvent: v.GenericSchema = v.union(events);

function severalOf(one: v.GenericSchema, max = MAX_EVENTS): v.GenericSchema {
  return v.pipe(v.array(one), v.minLength(1), v.maxLength(max));
}

/** What the operations name. */
export const HTTP_NAMED: Named = {
  WorkerEvent,
  CloudEvent,
  Publication: ChannelPublication,
  TaskAnswer: TaskAnswerSchema,
  TaskPage: TaskPageSchema,
  TaskHistory: TaskHistorySchema,
};

/** The body of each type in which events may come. */
const EVENT_BODIES: Readonly<Record<string, v.GenericSchema>> = {
  "application/json": v.union([WorkerEvent, severalOf(WorkerEvent)]),
  "application/cloudevents+json": CloudEvent,
  "application/cloudevents-batch+json": severalOf(CloudEvent),
};

function bodiesOf(types: readonly string[]): Readonly<Record<string, v.GenericSchema>> {
  return Object.fromEntries(types.flatMap((type) => {
    const schema = EVENT_BODIES[type];
    if (schema === undefined) throw new TypeError(`Cannot tell what a body of ${type} is`);
    return [[type, schema]];
  }));
}

const IDEMPOTENCY: QueryParameter = {
  name: "Idempotency-Key",
  schema: EventKey,
  description: "Stands for the event_id of what has none: as it is, or <key>:<index> in an array.",
};
const TRACEPARENT: QueryParameter = {
  name: "traceparent",
  schema: v.string(),
  description: "The trace of the worker, as W3C has it.",
};
const LAST_EVENT_ID: QueryParameter = {
  name: "Last-Event-ID",
  schema: v.string(),
  description: "The cursor to go on from; it wins over since.",
};

const { task_id: _, ...cancelled } = CancelTaskData.entries;

/** Everything that can be asked of a gateway over HTTP, but for the files that it serves. */
export const HTTP_OPERATIONS: readonly HttpOperation[] = [
  {
    id: "appendEvents",
    method: "post",
    path: "/api/tasks/:id/events",
    summary: "Appends events of a task, all or none.",
    open: "token",
    headers: [IDEMPOTENCY, TRACEPARENT],
    body: { types: bodiesOf(WORKER_TYPES) },
    answers: { 202: AppendedAnswer },
    problems: [400, 413, 415, 507],
  },
  {
    id: "appendCloudEvents",
    method: "post",
    path: "/api/events",
    summary: "Appends CloudEvents of any tasks, each of which its subject names, all or none.",
    open: "token",
    headers: [IDEMPOTENCY, TRACEPARENT],
    body: { types: bodiesOf(CLOUD_EVENT_TYPES) },
    answers: { 202: AppendedAnswer },
    problems: [400, 413, 415, 507],
  },
  {
    id: "listTasks",
    method: "get",
    path: "/api/tasks",
    summary: "A page of tasks, as get_tasks tells it.",
    open: "token",
    asks: GetTasksData,
    answers: { 200: TaskPageSchema },
    problems: [400, 410],
  },
  {
    id: "getTask",
    method: "get",
    path: "/api/tasks/:id",
    summary: "A task, as get_task tells it.",
    open: "token",
    asks: GetTaskData,
    answers: { 200: TaskAnswerSchema },
    problems: [400, 404, 410],
  },
  {
    id: "getHistory",
    method: "get",
    path: "/api/tasks/:id/events",
    summary: "A page of a task's events, as get_history tells it.",
    open: "token",
    asks: GetHistoryData,
    answers: { 200: TaskHistorySchema },
    problems: [400, 404],
  },
  {
    id: "publish",
    method: "post",
    path: "/api/publish",
    summary: "Publishes a value to a channel, or several, all or none.",
    open: "token",
    body: {
      types: { "application/json": v.union([ChannelPublication, severalOf(ChannelPublication, MAX_VALUES)]) },
    },
    answers: { 202: v.union([PublishedAnswer, AppendedAnswer]) },
    problems: [400, 404, 413, 415, 507],
  },
  {
    id: "listChannels",
    method: "get",
    path: "/api/channels",
    summary: "The channels that may be followed.",
    open: "token",
    answers: { 200: ChannelsAnswer },
    problems: [],
  },
  {
    id: "cancelTask",
    method: "post",
    path: "/api/tasks/:id/cancel",
    summary: "Asks the worker of a task to stop.",
    open: "token",
    body: { types: { "application/json": v.object(cancelled) }, isOptional: true },
    answers: { 202: CancelRequestedSchema },
    problems: [400, 404, 409, 413, 415, 507],
  },
  {
    id: "makeTicket",
    method: "post",
    path: "/api/tickets",
    summary: "A ticket with which one connection can be opened.",
    open: "token",
    answers: { 201: TicketAnswer },
    problems: [],
  },
  {
    id: "stream",
    method: "get",
    path: STREAM_PATH,
    summary: "Frames as Server-Sent Events: those that asyncapi.json has for the server.",
    open: "ticket",
    query: STREAM_QUERY,
    headers: [LAST_EVENT_ID],
    answers: { 200: "text/event-stream" },
    problems: [400, 404, 413],
  },
  {
    id: "listRejected",
    method: "get",
    path: "/api/rejected",
    summary: "The records that could not be understood, for operators.",
    open: "token",
    answers: { 200: RejectedAnswer },
    problems: [],
  },
  {
    id: "listPlugins",
    method: "get",
    path: "/api/plugins",
    summary: "The plug-ins and what each came to, for operators.",
    open: "token",
    answers: { 200: PluginsAnswer },
    problems: [],
  },
  {
    id: "addPlugin",
    method: "post",
    path: "/api/plugins",
    summary: "Adds the plug-in of a module, for operators.",
    open: "token",
    body: { types: { "application/json": PluginToAdd } },
    answers: { 201: PluginsAnswer },
    problems: [400, 409, 413, 415],
  },
  {
    id: "removePlugin",
    method: "delete",
    path: "/api/plugins/:name",
    summary: "Removes a plug-in, for operators.",
    open: "token",
    params: { name: v.string() },
    answers: { 200: PluginsAnswer },
    problems: [404, 409],
  },
  {
    id: "switchPlugin",
    method: "post",
    path: "/api/plugins/:name/:what{enable|disable}",
    summary: "Switches a plug-in on or off, for operators.",
    open: "token",
    params: { name: v.string(), what: v.picklist(["enable", "disable"]) },
    answers: { 200: PluginsAnswer },
    problems: [404, 409],
  },
  {
    id: "isAlive",
    method: "get",
    path: "/healthz",
    summary: "Whether the process is alive.",
    open: "everybody",
    answers: { 200: HealthAnswer },
    problems: [],
  },
  {
    id: "isReady",
    method: "get",
    path: "/readyz",
    summary: "Whether the gateway can serve.",
    open: "everybody",
    answers: { 200: ReadinessAnswer, 503: ReadinessAnswer },
    problems: [],
  },
  {
    id: "readMetrics",
    method: "get",
    path: "/metrics",
    summary: "Metrics in Prometheus's text format.",
    open: "metrics",
    answers: { 200: "text/plain; version=0.0.4; charset=utf-8" },
    problems: [],
  },
];
