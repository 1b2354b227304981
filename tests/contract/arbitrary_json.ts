import fc from "fast-check";
import type { Json } from "./judges.ts";

/** Values of JSON that a schema of this document allows; `given` are named by what is at their pointer. */
export function arbitraryOf(schema: unknown, document: Json): fc.Arbitrary<unknown> {
  const found = resolved(schema, document);
  if ("const" in found) return fc.constant(found["const"]);
  if (Array.isArray(found["enum"])) return fc.constantFrom(...found["enum"]);
  const options = found["anyOf"] ?? found["oneOf"];
  if (Array.isArray(options)) {
    const possible = options.filter((option) => !isImpossible(option));
    return fc.oneof(...possible.map((option) => arbitraryOf(option, document)));
  }
  switch (Array.isArray(found["type"]) ? found["type"][0] : found["type"]) {
    case "object":
      return objects(found, document);
    case "array":
      return arrays(found, document);
    case "string":
      return strings(found);
    case "integer":
      return fc.integer({ min: bound(found["minimum"], -1_000), max: bound(found["maximum"], 1_000) });
    case "number":
      return fc.double({
        noNaN: true,
        min: bound(found["minimum"], -1e9),
        max: bound(found["maximum"], 1e9),
      }).map((number) => number === 0 ? 0 : number);
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case undefined:
      return fc.jsonValue({ maxDepth: 3 });
  }
  throw new TypeError(`Cannot make what is ${JSON.stringify(found)}`);
}

/** What a schema says, or that to which it refers. */
export function resolved(schema: unknown, document: Json): Json {
  if (!isObject(schema)) throw new TypeError(`${JSON.stringify(schema)} is no schema`);
  const pointer = schema["$ref"];
  return typeof pointer === "string" ? resolved(at(document, pointer), document) : schema;
}

/** What is at a pointer such as `#/components/schemas/Task`. */
export function at(document: Json, pointer: string): unknown {
  const parts = pointer.split("/").slice(1).map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  return parts.reduce<unknown>(
    (inner, part) => Array.isArray(inner) ? inner[Number(part)] : isObject(inner) ? inner[part] : undefined,
    document,
  );
}

/** Whether a value is an object in JSON's sense. */
export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An object as it is, and one without members in place of anything else. */
export function membersIn(value: unknown): Json {
  return isObject(value) ? value : {};
}

/** Whether there is no value at all that a schema allows. */
export function isImpossible(schema: unknown): boolean {
  return isObject(schema) && isObject(schema["not"]) && Object.keys(schema["not"]).length === 0;
}

function objects({ properties, required }: Json, document: Json): fc.Arbitrary<unknown> {
  if (!isObject(properties)) {
    return fc.dictionary(fc.string({ maxLength: 8 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4 });
  }
  const possible = Object.entries(properties).filter(([, schema]) => !isImpossible(schema));
  const members = Object.fromEntries(possible.map(([name, schema]) => [name, arbitraryOf(schema, document)]));
  const requiredKeys = Array.isArray(required) ? required.map(String) : [];
  return fc.record(members, { requiredKeys, noNullPrototype: true });
}

/** So many members at most, whatever a schema allows: the most are tried where bounds are. */
const FEW = 4;

function arrays({ items, minItems, maxItems }: Json, document: Json): fc.Arbitrary<unknown> {
  const minLength = bound(minItems, 0);
  const maxLength = Math.max(minLength, Math.min(FEW, bound(maxItems, FEW)));
  return fc.array(arbitraryOf(items ?? {}, document), { minLength, maxLength });
}

/** Characters of which those are taken that a pattern lets through. */
const POOL = [..."aZ09_-.:@/+=~!é数😀 \t"];

function strings({ pattern, format, minLength, maxLength }: Json): fc.Arbitrary<unknown> {
  if (format === "date-time") {
    const [min, max] = [new Date(0), new Date("9999-12-31T23:59:59.999Z")];
    return fc.date({ min, max, noInvalidDate: true }).map((date) => date.toISOString());
  }
  if (typeof pattern === "string") return matching(pattern);
  const [min, max] = [bound(minLength, 0), bound(maxLength, 64)];
  // Of one code unit each: what is counted here are code points.
  const unit = fc.constantFrom(...POOL.filter((character) => character.length === 1));
  return fc.oneof(
    {
      weight: 9,
      arbitrary: fc.string({ unit, minLength: min, maxLength: Math.max(min, Math.min(max, 24)) }),
    },
    { weight: 1, arbitrary: fc.constantFrom("x".repeat(min), "x".repeat(max)) },
  );
}

/** Texts that match: of a single class of characters by hand, since that may be of all scripts. */
function matching(pattern: string): fc.Arbitrary<unknown> {
  const [, single, least, most] = /^\^(\[(?:[^\\\]]|\\.|\\p\{\w+\})+\])\{(\d+),(\d+)\}\$$/.exec(pattern) ??
    [];
  if (single === undefined) return fc.stringMatching(new RegExp(pattern));
  const fits = new RegExp(`^${single}$`, "u");
  const unit = fc.constantFrom(...POOL.filter((character) => fits.test(character)));
  const [min, max] = [Number(least), Number(most)];
  return fc.oneof(
    { weight: 9, arbitrary: fc.string({ unit, minLength: min, maxLength: Math.min(max, 12) }) },
    { weight: 1, arbitrary: fc.string({ unit, minLength: max, maxLength: max }) },
  );
}

function bound(value: unknown, otherwise: number): number {
  return typeof value === "number" ? value : otherwise;
}
