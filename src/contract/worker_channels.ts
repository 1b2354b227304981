import { channelSpace } from "../channel/channel_subject.ts";
import { type Namespace, topicsOfNamespace } from "../channel/namespace.ts";
import { CloudEvent } from "../task/cloud_event.ts";
import { BODIES, KINDS, MAX_BODY_BYTES } from "../task/worker_event.ts";
import { type Dialect, ID_PATTERNS, type JsonSchema, type Named, ofOthers, schemaOf } from "./json_schema.ts";

/** What the channels of workers name. */
export const WORKER_NAMED: Named = { CloudEvent };

/** The subjects of NATS under which workers write events and values of channels, as parts of an AsyncAPI document. */
export function workerChannels(
  all: readonly Namespace[],
  dialect: Dialect,
): { readonly channels: JsonSchema; readonly operations: JsonSchema; readonly messages: JsonSchema } {
  const namespaces = all.filter(({ records }) => records === undefined);
  const kinds = KINDS.map((kind) => [`event.${kind}`, {
    name: kind,
    title: `${kind}, of a worker`,
    payload: schemaOf(BODIES[kind], {}, dialect),
    headers: HEADERS,
    description: `The body of an event of at most ${MAX_BODY_BYTES} bytes.`,
  }]);
  const messages = {
    ...Object.fromEntries(kinds),
    "event.cloudevent": {
      name: "cloudevent",
      title: "Any event, as a CloudEvent",
      contentType: "application/cloudevents+json",
      payload: { $ref: "#/components/schemas/CloudEvent" },
      description: "Its type ends in the kind that the subject has.",
    },
    ...Object.fromEntries(namespaces.map((namespace) => [`value.${namespace.name}`, {
      name: `${namespace.name} value`,
      title: `A value of a channel ${topicsOfNamespace(namespace)[0]?.shape}`,
      payload: namespace.payload === undefined ? {} : ofOthers(namespace.payload, dialect),
      headers: HEADERS,
      description: `Any JSON of at most ${MAX_BODY_BYTES} bytes that follows the schema.`,
    }])),
  };
  const subjects = [
    ...KINDS.map((kind) => subject(kind, `task.{task_id}.${kind}`, [`event.${kind}`, "event.cloudevent"])),
    ...namespaces.flatMap((namespace) => {
      const { name, of } = namespace;
      const channel = `${channelSpace(namespace)}.${of === "task" ? "{task_id}" : "{name}"}`;
      return [
        subject(`values_${name}`, channel, [`value.${name}`]),
        subject(`values_${name}_key`, `${channel}.{key}`, [`value.${name}`]),
      ];
    }),
  ];
  return {
    messages,
    channels: Object.fromEntries(subjects.map(({ name, channel }) => [name, channel])),
    operations: Object.fromEntries(subjects.map(({ name, keys }) => [`${name}.written`, {
      action: "receive",
      channel: { $ref: `#/channels/${name}` },
      messages: keys.map((key) => ({ $ref: `#/channels/${name}/messages/${key}` })),
    }])),
  };
}

/** What may stand above a body in NATS. */
const HEADERS = {
  type: "object",
  properties: {
    "Nats-Msg-Id": { type: "string", description: "What is sent again under it is stored once." },
    traceparent: { type: "string", description: "The trace of the worker, as W3C has it." },
  },
} as const;

const PARAMETERS: Readonly<Record<string, JsonSchema>> = {
  prefix: {
    default: "taskwire",
    description: "SUBJECT_PREFIX; where tasks are partitioned, with .part.<n>.",
  },
  task_id: { description: `Matches ${ID_PATTERNS.taskId}` },
  name: {
    description:
      `The channel's name, matches ${ID_PATTERNS.channelName}; other bytes than A-Za-z0-9_- as %XX.`,
  },
  key: { description: `Which of its values, matches ${ID_PATTERNS.channelKey}; likewise.` },
};

type Subject = { readonly name: string; readonly channel: JsonSchema; readonly keys: readonly string[] };

function subject(id: string, rest: string, keys: readonly string[]): Subject {
  const address = `{prefix}.${rest}`;
  const used = Object.entries(PARAMETERS).filter(([parameter]) => address.includes(`{${parameter}}`));
  return {
    name: `nats_${id}`,
    keys,
    channel: {
      address,
      servers: [{ $ref: "#/servers/nats" }],
      parameters: Object.fromEntries(used),
      messages: Object.fromEntries(keys.map((key) => [key, { $ref: `#/components/messages/${key}` }])),
    },
  };
}
