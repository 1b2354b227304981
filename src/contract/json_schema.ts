import {
  type ConversionConfig,
  type JsonSchema as Converted,
  toJsonSchema,
  toJsonSchemaDefs,
} from "@valibot/to-json-schema";
import type * as v from "valibot";
import { isObject } from "../protocol/client_frames.ts";
import {
  CHANNEL_NAME,
  ClientId,
  isChannelKey,
  isClientId,
  isTag,
  isTaskId,
  Tag,
  TaskId,
} from "../protocol/names.ts";
import { hasTwoDecimals } from "../protocol/server_schemas.ts";
import { LastCounters } from "../task/worker_event.ts";

/** A JSON Schema, or a part of one. */
export type JsonSchema = { readonly [member: string]: unknown };

/** What names look like that are parts of topics and subjects. */
export const ID_PATTERNS: { readonly [P in "taskId" | "tag" | "channelName" | "channelKey"]: string } = {
  taskId: patternOf(TaskId),
  tag: patternOf(Tag),
  channelName: CHANNEL_NAME.source,
  // Halves of pairs are refused with white space and controls.
  channelKey: String.raw`^[^\s\p{Cc}\p{Cs}]{1,128}$`,
};

/** Rules that are functions to us, and what JSON Schema says in their place. One that is not here cannot be told: see below. */
const RULES: ReadonlyMap<unknown, JsonSchema> = new Map<unknown, JsonSchema>([
  [isObject, { type: "object" }],
  [isTaskId, { pattern: ID_PATTERNS.taskId }],
  [isTag, { pattern: ID_PATTERNS.tag }],
  [isClientId, { pattern: patternOf(ClientId) }],
  [isChannelKey, { pattern: ID_PATTERNS.channelKey }],
  // Not multipleOf: by that 0.07 is no multiple of 0.01.
  [hasTwoDecimals, { description: "Two decimals at most." }],
]);

/** Patterns that are matched in either case, which JSON Schema cannot say. */
const EITHER_CASE: Readonly<Record<string, string>> = {
  [String.raw`^application\/(?:[\w.-]+\+)?json\s*(?:;|$)`]: String
    .raw`^[Aa][Pp][Pp][Ll][Ii][Cc][Aa][Tt][Ii][Oo][Nn]\/(?:[\w.\-]+\+)?[Jj][Ss][Oo][Nn]\s*(?:;|$)`,
};

/**
 * What the converter does not know and nothing has to be said of: names for the compiler, that JSON has no infinities, and that
 * letters may be small.
 */
const SILENT: ReadonlySet<string> = new Set(["brand", "readonly", "finite", "to_upper_case"]);

/** Schemas that have a name of their own in a document. */
export type Named = Readonly<Record<string, v.GenericSchema>>;

/** Which dialect a document speaks. */
export type Dialect = "draft-07" | "draft-2020-12";

/**
 * What may be sent for it to be taken by each of `named`, as JSON Schemas. Where a schema has a rule that JSON Schema cannot
 * say and nobody has said what to say instead, it throws: nothing is left out by silence.
 */
export function namedSchemas(named: Named, target: Dialect): Readonly<Record<string, JsonSchema>> {
  const told = Object.entries(toJsonSchemaDefs({ ...named }, configOf(named, target)));
  return Object.fromEntries(told.map(([name, schema]) => [name, { ...schema }]));
}

/** The same of one schema; of those in it that have a name that is told. */
export function schemaOf(schema: v.GenericSchema, named: Named, target: Dialect): JsonSchema {
  const { $schema: _, $defs = {}, ...said } = toJsonSchema(schema, configOf(named, target));
  const nameless = Object.keys($defs).find((name) => !Object.hasOwn(named, name));
  if (nameless !== undefined) throw new TypeError("Cannot tell what refers to itself and has no name");
  return said;
}

/** What is said of a schema of which too much cannot be said; nothing that is built in is such a one. */
export const UNTOLD = "JSON Schema cannot say what this must be";

/** The same of a schema that may be a plug-in's: what is untold of it is told, and hinders nobody. */
export function ofOthers(schema: v.GenericSchema, target: Dialect, named: Named = {}): JsonSchema {
  try {
    return schemaOf(schema, named, target);
  } catch (error) {
    return { description: `${UNTOLD}: ${error instanceof Error ? error.message : error}` };
  }
}

function configOf(named: Named, target: Dialect): ConversionConfig {
  return {
    target,
    typeMode: "input",
    definitions: { ...named },
    overrideRef: ({ referenceId }) => `#/components/schemas/${referenceId}`,
    overrideSchema: ({ valibotSchema, jsonSchema }) => {
      // To valibot an array is an object, and where nothing in it is required that matters.
      if (valibotSchema === LastCounters) {
        const description = "An array is taken for an object without members.";
        return { ...jsonSchema, type: ["object", "array"], description };
      }
      if (valibotSchema.type !== "custom" || !("check" in valibotSchema)) return undefined;
      return RULES.get(valibotSchema.check) && { ...jsonSchema, ...RULES.get(valibotSchema.check) };
    },
    overrideAction: ({ valibotAction, jsonSchema }) => {
      if (SILENT.has(valibotAction.type)) return jsonSchema;
      if (!("requirement" in valibotAction)) return undefined;
      if (valibotAction.type === "regex") return matching(jsonSchema, valibotAction.requirement);
      const rule = valibotAction.type === "check" ? RULES.get(valibotAction.requirement) : undefined;
      return rule && { ...jsonSchema, ...rule };
    },
  };
}

/** What has to match `pattern`; undefined where it has to match another too, which cannot be told. */
function matching(text: Converted, pattern: unknown): Converted | undefined {
  const isFirst = pattern instanceof RegExp && text.pattern === pattern.source;
  return isFirst ? { ...text, pattern: printed(pattern) } : undefined;
}

/** A pattern as JSON Schema has it: always in Unicode. */
function printed(pattern: unknown): string {
  if (!(pattern instanceof RegExp)) throw new TypeError("Cannot tell a pattern that is none");
  const flags = pattern.flags.replace("u", "");
  if (flags === "") return pattern.source;
  const said = flags === "i" ? EITHER_CASE[pattern.source] : undefined;
  if (said === undefined) throw new TypeError(`Cannot tell ${pattern} in JSON Schema`);
  return said;
}

function patternOf({ pipe }: { readonly pipe: readonly unknown[] }): string {
  for (const step of pipe) {
    if (
      typeof step === "object" && step !== null && "requirement" in step && step.requirement instanceof RegExp
    ) {
      return printed(step.requirement);
    }
  }
  throw new TypeError("Cannot find a pattern");
}
