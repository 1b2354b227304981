import { INFO } from "./about.ts";
import { BEARER_PROTOCOL } from "../access/bearer.ts";
import { CLOSE_CODES } from "../protocol/close_codes.ts";
import { ERROR_CODES } from "../protocol/error_codes.ts";
import { PATHS } from "../protocol/topics.ts";
import { WEBSOCKET_QUERY } from "./connecting_query.ts";
import { clientMessages, comesOn, type Message, serverMessages } from "./frames.ts";
import { type JsonSchema, namedSchemas, schemaOf } from "./json_schema.ts";
import { COMMON } from "./names.ts";
import type { Spoken } from "./spoken.ts";
import { topicSchema, topicShapes } from "./topic_shapes.ts";
import { WORKER_NAMED, workerChannels } from "./worker_channels.ts";

const DIALECT = "draft-07";

/** The gateway's traffic as an AsyncAPI 3 document: the paths of its WebSockets, and the subjects under which workers write. */
export function asyncApi(spoken: Spoken): JsonSchema {
  const client = clientMessages(spoken.messages, COMMON, DIALECT);
  const server = serverMessages(COMMON, DIALECT);
  const frames = server.filter(({ type }) => type !== "batch");
  const workers = workerChannels(spoken.namespaces, DIALECT);
  const paths = [...PATHS].map(([path, namespace]) => socketOf(path, namespace, client, server, spoken));
  const { license: { name }, ...info } = INFO;
  return {
    asyncapi: "3.0.0",
    info: { ...info, license: { name } },
    defaultContentType: "application/json",
    servers: {
      gateway: {
        host: "{host}",
        protocol: "ws",
        description: "wss where the gateway, or a proxy before it, has TLS.",
        variables: { host: { default: "localhost:8000" } },
        security: ["bearer", "subProtocol", "ticket"].map((scheme) => ref("securitySchemes", scheme)),
      },
      nats: {
        host: "{host}",
        protocol: "nats",
        description: "Where workers write past the gateway.",
        variables: { host: { default: "localhost:4222" } },
      },
    },
    channels: Object.assign({}, ...paths.map(({ channel }) => channel), workers.channels),
    operations: Object.assign({}, ...paths.map(({ operations }) => operations), workers.operations),
    components: {
      messages: { ...byKey([...client, ...server]), ...workers.messages },
      schemas: {
        ...namedSchemas({ ...COMMON, ...WORKER_NAMED }, DIALECT),
        Frame: { oneOf: frames.map(({ key }) => ({ $ref: `#/components/messages/${key}/payload` })) },
        Topic: { anyOf: topicShapes(spoken.namespaces).map(topicSchema) },
      },
      securitySchemes: SECURITY,
    },
    "x-error-codes": ERROR_CODES,
    "x-close-codes": Object.values(CLOSE_CODES),
    "x-topics": topicShapes(spoken.namespaces),
  };
}

const SECURITY = {
  bearer: {
    type: "http",
    scheme: "bearer",
    description: "Authorization: Bearer <token>, of all but browsers; or the frame auth on the open socket.",
  },
  subProtocol: {
    type: "httpApiKey",
    in: "header",
    name: "Sec-WebSocket-Protocol",
    description:
      `${BEARER_PROTOCOL}<token in base64url>, offered beside one of the sub-protocols. It is never echoed.`,
  },
  ticket: {
    type: "httpApiKey",
    in: "query",
    name: "token",
    description: "A ticket of POST /api/tickets: good for one connection, within 30 s.",
  },
} as const;

type Socket = { readonly channel: JsonSchema; readonly operations: JsonSchema };

/** A path of WebSockets: the frames that go each way, and which answers which. */
function socketOf(
  path: string,
  namespace: string,
  client: readonly Message[],
  server: readonly Message[],
  spoken: Spoken,
): Socket {
  const name = path.slice(1).replaceAll("/", "_");
  const sent = server.filter(({ type }) => comesOn(namespace, type));
  const messageRef = (key: string): JsonSchema => ({ $ref: `#/channels/${name}/messages/${key}` });
  const channel = { $ref: `#/channels/${name}` };
  const answers = (answeredBy: string | undefined): readonly string[] =>
    ["error", ...(answeredBy === undefined ? [] : [answeredBy])].map((type) => `server.${type}`);
  const received = client.map(({ key, type, answeredBy }) => [`${name}.${type}`, {
    action: "receive",
    channel,
    messages: [messageRef(key)],
    reply: { channel, messages: answers(answeredBy).map(messageRef) },
  }]);
  return {
    channel: {
      [name]: {
        address: path,
        servers: [{ $ref: "#/servers/gateway" }],
        description: namespace === "*" ? "All topics." : `Topics of the namespace ${namespace}.`,
        messages: Object.fromEntries([...client, ...sent].map(({ key }) => [key, ref("messages", key)])),
        bindings: { ws: webSocketBinding(spoken) },
      },
    },
    operations: {
      ...Object.fromEntries(received),
      [`${name}.sent`]: { action: "send", channel, messages: sent.map(({ key }) => messageRef(key)) },
    },
  };
}

function webSocketBinding({ subProtocols }: Spoken): JsonSchema {
  const query = WEBSOCKET_QUERY.map(({ name, schema, description }) => [
    name,
    { ...schemaOf(schema, {}, DIALECT), description },
  ]);
  return {
    method: "GET",
    query: {
      type: "object",
      properties: {
        ...Object.fromEntries(query),
        token: { type: "string", description: "A token, or better a ticket." },
      },
    },
    headers: {
      type: "object",
      properties: {
        "Sec-WebSocket-Protocol": {
          type: "string",
          description: "Without one of ours, frames are text messages of JSON, one each.",
          examples: [...subProtocols],
        },
      },
    },
    bindingVersion: "0.1.0",
  };
}

function byKey(messages: readonly Message[]): JsonSchema {
  return Object.fromEntries(messages.map(({ key, said }) => [key, said]));
}

function ref(kind: string, name: string): JsonSchema {
  return { $ref: `#/components/${kind}/${name}` };
}
