import * as v from "valibot";
import { RIGHTS } from "../access/access.ts";

const Callable = v.function();
const MessageName = v.pipe(v.string(), v.minLength(1), v.maxLength(64));
const Cost = v.pipe(v.number(), v.minValue(0), v.maxValue(1_000));

const Part = v.object({ kind: v.string(), async: v.optional(v.unknown()) });
const Schema = v.object({ kind: v.literal("schema"), type: v.string(), "~run": Callable });
const AsyncFunction = (async () => {}).constructor;

/** A schema that is over within a turn: data is taken for what an async one has not looked at yet. */
const SyncSchema = v.pipe(
  v.custom<object>((value) => v.is(Schema, value), "must be a schema of valibot"),
  v.check(isSync, "must not be async, nor anything in it: it would let everything through"),
);

const builtInAlone = v.optional(v.undefined("is of what is built in alone"));

/** As far as a plug-in can be looked at before it is used. */
export const PluginShape = v.object({
  name: v.string(),
  messages: v.optional(v.array(v.object({
    type: MessageName,
    schema: SyncSchema,
    right: v.optional(v.picklist(RIGHTS)),
    cost: v.optional(Cost),
    handle: Callable,
  }))),
  types: v.optional(v.array(v.object({
    type: MessageName,
    schema: SyncSchema,
    cost: Cost,
    answeredBy: v.optional(v.string()),
    handle: Callable,
  }))),
  namespaces: v.optional(v.array(v.object({
    name: v.string(),
    of: v.optional(v.literal("task")),
    conflation: v.optional(v.picklist(["latest", "all", "none"])),
    retained: v.optional(v.boolean()),
    payload: v.optional(SyncSchema),
    // What has records or topics of its own would take those of others.
    records: builtInAlone,
    topics: builtInAlone,
  }))),
  onStart: v.optional(Callable),
  onPublish: v.optional(Callable),
});

/** Whether nothing of a schema is async, as far as it can be seen: what it is made of only when it is used cannot. */
function isSync(schema: object): boolean {
  const parts = new Set<unknown>([schema]);
  for (const part of parts) {
    if (part instanceof AsyncFunction) return false;
    if (typeof part !== "object" || part === null) continue;
    const isPart = v.is(Part, part);
    if (isPart && part.async === true) return false;
    // A part has others as members, in a list, or in an object by their names.
    for (const one of Object.values(part)) if (isPart || v.is(Part, one)) parts.add(one);
  }
  return true;
}
