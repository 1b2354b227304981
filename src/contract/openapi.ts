import * as v from "valibot";
import { AT } from "../http/task_routes.ts";
import { At } from "../protocol/client_frames.ts";
import { ERROR_CODES } from "../protocol/error_codes.ts";
import { TaskId } from "../protocol/names.ts";
import { INFO } from "./about.ts";
import type { QueryParameter } from "./connecting_query.ts";
import { Problem } from "./http_answers.ts";
import { HTTP_NAMED, HTTP_OPERATIONS, type HttpOperation, type Members } from "./http_operations.ts";
import { type JsonSchema, namedSchemas, schemaOf } from "./json_schema.ts";
import { COMMON } from "./names.ts";
import type { ServedFile } from "./spoken.ts";

const DIALECT = "draft-2020-12";
const NAMED = { ...COMMON, ...HTTP_NAMED, Problem };

/** Whoever asks may have asked too often; and below a guard, may not be known or allowed, or the log may be away. */
const GUARDED = [401, 403, 429, 500, 503];

const MEANINGS: Readonly<Record<number, string>> = {
  200: "What was asked for",
  201: "Made",
  202: "Durable",
  304: "Not changed",
  400: "What was asked breaks a rule",
  401: "No token that opens anything",
  403: "Not allowed",
  404: "Not there",
  409: "Not as it would have to be",
  410: "No longer in the log",
  413: "Beyond a bound",
  415: "A body of another type",
  429: "A request too many",
  500: "Something is wrong with the gateway",
  503: "Not at present",
  507: "The log does not take it",
};

/** What a gateway that serves `files` can be asked over HTTP, as an OpenAPI 3.1 document; whether it asks for tokens is told. */
export function openApi(
  { files, asksForToken }: { readonly files: readonly ServedFile[]; readonly asksForToken: boolean },
): JsonSchema {
  const paths: Record<string, Record<string, JsonSchema>> = {};
  for (const operation of HTTP_OPERATIONS) {
    const path = operation.path.replaceAll(PARAMETER, (_all, name: string) => `{${calledOutside(name)}}`);
    paths[path] = { ...paths[path], [operation.method]: operationOf(operation, asksForToken) };
  }
  for (const file of files) paths[file.path] = { get: fileOf(file) };
  return {
    openapi: "3.1.0",
    info: INFO,
    servers: [{ url: "/" }],
    paths,
    components: {
      schemas: namedSchemas(NAMED, DIALECT),
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer" },
        ticket: {
          type: "apiKey",
          in: "query",
          name: "token",
          description: "A token, or better a ticket, where no header can be sent.",
        },
        metrics: { type: "http", scheme: "bearer", description: "METRICS_TOKEN." },
      },
    },
    "x-error-codes": ERROR_CODES,
  };
}

/** A parameter as the router has it in a path. */
const PARAMETER = /:(\w+)(?:\{[^}]*\})?/g;

function calledOutside(name: string): string {
  return name === "id" ? "task_id" : name;
}

const SECURITY: Readonly<Record<HttpOperation["open"], readonly JsonSchema[]>> = {
  everybody: [],
  token: [{ bearer: [] }],
  ticket: [{ bearer: [] }, { ticket: [] }],
  metrics: [{ bearer: [] }, { metrics: [] }],
};

function operationOf(operation: HttpOperation, asksForToken: boolean): JsonSchema {
  const { id, summary, open, path, body, answers, problems } = operation;
  const ok = Object.entries(answers).map(([status, answer]) => [status, {
    description: MEANINGS[Number(status)] ?? "",
    content: typeof answer === "string"
      ? { [answer.split(";", 1)[0] ?? ""]: { schema: { type: "string" } } }
      : { "application/json": { schema: schemaOf(answer, NAMED, DIALECT) } },
  }]);
  const wrong = [...problems, ...(open === "everybody" ? [] : GUARDED)];
  return {
    operationId: id,
    summary,
    ...(path.startsWith("/api/") ? {} : { tags: ["operations"] }),
    security: asksForToken ? SECURITY[open] : [],
    parameters: parametersOf(operation),
    ...(body === undefined ? {} : { requestBody: bodyOf(body) }),
    responses: {
      ...Object.fromEntries(ok),
      ...Object.fromEntries(wrong.map((status) => [status, problemOf(status)])),
    },
  };
}

function bodyOf({ types, isOptional = false }: NonNullable<HttpOperation["body"]>): JsonSchema {
  const content = Object.entries(types).map(([type, schema]) => [
    type,
    { schema: schemaOf(schema, NAMED, DIALECT) },
  ]);
  return { required: !isOptional, content: Object.fromEntries(content) };
}

function problemOf(status: number): JsonSchema {
  return {
    description: MEANINGS[status] ?? "A problem",
    content: { "application/problem+json": { schema: refTo("Problem") } },
    ...(status === 429 || status === 503
      ? {
        headers: {
          "Retry-After": { description: "In how many seconds to ask again.", schema: { type: "integer" } },
        },
      }
      : {}),
  };
}

function parametersOf(
  { path, params = { id: TaskId }, asks, query = [], headers = [] }: HttpOperation,
): readonly JsonSchema[] {
  const inPath = [...path.matchAll(PARAMETER)].map(([, name = ""]) => {
    const schema = params[name];
    if (schema === undefined) throw new TypeError(`Cannot tell what :${name} of ${path} is`);
    return { name: calledOutside(name), schema, description: "", required: true };
  });
  const members = membersOf(asks).filter(({ name }) => !inPath.some((one) => one.name === name));
  return [
    ...inPath.map((one) => parameter("path", one)),
    ...[...members, ...query].map((one) => parameter("query", one)),
    ...headers.map((one) => parameter("header", one)),
  ];
}

/** The members of a message as parameters; those that are objects by their own members, such as `at_seq`. */
function membersOf(asks: Members | undefined): readonly QueryParameter[] {
  return Object.entries(asks?.entries ?? {}).flatMap(([name, entry]) => {
    const inner = name === "at" ? AT.at : undefined;
    // An entry is a schema; the type of entries says also that it may be an action, which objects of ours have none of.
    const schema = entry as v.GenericSchema;
    if (inner === undefined) return [{ name, schema, description: "" }];
    return inner.map((member) => ({
      name: `${name}_${member}`,
      schema: momentOf(member),
      description:
        "How it was there: at_seq, of the life of the stream that at_epoch names, or at_time; not both.",
    }));
  });
}

/** What a member of `at` must be, whichever way of saying where has it. */
function momentOf(member: string): v.GenericSchema {
  for (const option of At.options) {
    const entry: v.GenericSchema | undefined = Object.entries(option.entries).find(([name]) =>
      name === member
    )?.[1];
    if (entry !== undefined && !v.is(v.object({ wrapped: v.object({ type: v.literal("never") }) }), entry)) {
      return entry;
    }
  }
  throw new TypeError(`Cannot tell what at_${member} is`);
}

function parameter(
  where: string,
  { name, schema, description, required = false }: QueryParameter,
): JsonSchema {
  return {
    name,
    in: where,
    required,
    ...(description === "" ? {} : { description }),
    schema: schemaOf(schema, NAMED, DIALECT),
  };
}

function fileOf({ path, contentType, isEarly }: ServedFile): JsonSchema {
  const type = contentType.split(";", 1)[0] ?? "";
  return {
    operationId: `file ${path}`.replaceAll(/[^A-Za-z0-9]+/g, "_"),
    summary: `The file ${path}.`,
    tags: ["files"],
    security: [],
    responses: {
      200: { description: MEANINGS[200], content: { [type]: { schema: { type: "string" } } } },
      304: { description: MEANINGS[304] },
      ...(isEarly === true ? { 503: problemOf(503) } : {}),
    },
  };
}

function refTo(name: string): JsonSchema {
  return { $ref: `#/components/schemas/${name}` };
}
