import type { DescribedMessage } from "../messages/message_registry.ts";
import { ClientEnvelope } from "../protocol/client_frames.ts";
import { BatchFrameSchema, ServerFrameSchema } from "../protocol/server_schemas.ts";
import { type Dialect, type JsonSchema, type Named, ofOthers, schemaOf } from "./json_schema.ts";

/** A frame as a message of AsyncAPI. */
export type Message = {
  /** What names it among those of both directions. */
  readonly key: string;
  readonly type: string;
  /** The type of frame that answers it, where it is of a client and that is known. */
  readonly answeredBy?: string | undefined;
  readonly said: JsonSchema;
};

/** The id of a request is that of its answer. */
const CORRELATION = { location: "$message.payload#/id" } as const;

/** What clients may send, each with the `data` of its own schema. */
export function clientMessages(
  messages: readonly DescribedMessage[],
  named: Named,
  dialect: Dialect,
): readonly Message[] {
  return messages.map(({ type, schema, cost, answeredBy }) => ({
    key: `client.${type}`,
    type,
    answeredBy,
    said: {
      name: type,
      title: `${type}, of a client`,
      correlationId: CORRELATION,
      payload: clientPayload(type, ofOthers(schema, dialect, named), dialect),
      "x-cost": cost,
    },
  }));
}

/** A client's frame: what all have in common, and its own `data`, which may be left out where nothing in it is required. */
function clientPayload(type: string, data: JsonSchema, dialect: Dialect): JsonSchema {
  const { data: _, ...common } = ClientEnvelope.entries;
  const isRequired = Array.isArray(data["required"]) && data["required"].length > 0;
  const properties = Object.entries(common).map(([name, schema]) => [name, schemaOf(schema, {}, dialect)]);
  return {
    type: "object",
    properties: { ...Object.fromEntries(properties), type: { const: type }, data },
    required: ["type", "id", ...(isRequired ? ["data"] : [])],
  };
}

/** What the server may send. */
export function serverMessages(named: Named, dialect: Dialect): readonly Message[] {
  const frames = ServerFrameSchema.options.map((schema) => ({ type: schema.entries.type.literal, schema }));
  const told = frames.map(({ type, schema }) => serverMessage(type, schemaOf(schema, named, dialect)));
  const batch = schemaOf(BatchFrameSchema, { ...named, Frame: ServerFrameSchema }, dialect);
  return [...told, serverMessage("batch", batch)];
}

function serverMessage(type: string, payload: JsonSchema): Message {
  const key = `server.${type}`;
  return {
    key,
    type,
    said: { name: type, title: `${type}, of the server`, correlationId: CORRELATION, payload },
  };
}

/** Types that topics of one namespace alone bring. */
const OF_ONE: Readonly<Record<string, string>> = {
  task_progress: "task",
  progress_delta: "task",
  data_update: "data",
  strategy_update: "strategy",
  channel_update: "*",
};

/** Whether frames of this type come on a path with the topics of `namespace`. Replies about tasks come on every path. */
export function comesOn(namespace: string, type: string): boolean {
  const own = OF_ONE[type];
  return own === undefined || namespace === "*" || own === namespace;
}
