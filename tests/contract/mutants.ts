import { isImpossible, isObject, membersIn, resolved } from "./arbitrary_json.ts";
import type { Json } from "./judges.ts";

/** A value of which one member is another than before; `member` is the outermost that was touched. */
export type Mutant = { readonly member: string; readonly value: Json };

/** What hardly any schema allows at every place: something of each type, and what is beyond bounds. */
const STRANGE: readonly unknown[] = [
  null,
  true,
  [],
  {},
  -1,
  1.5,
  1e300,
  "",
  "\u0000 x",
  "x".repeat(20_000),
  Array.from({ length: 1_025 }, () => "x"),
  [1],
];

/** An object with each of the members of its schema taken away, and in its place something strange; of objects in it too. */
export function mutantsOf(value: Json, schema: unknown, document: Json): readonly Mutant[] {
  const { properties } = membersIn(objectIn(schema, document));
  if (!isObject(properties)) return [];
  return Object.entries(properties).flatMap(([member, inner]) => {
    const { [member]: before, ...rest } = value;
    const deeper = isObject(before) ? mutantsOf(before, inner, document) : [];
    const put = [...STRANGE, ...deeper.map((mutant) => mutant.value)];
    const changed = put.map((one) => ({ member, value: { ...value, [member]: one } }));
    return isImpossible(inner) || before === undefined ? changed : [{ member, value: rest }, ...changed];
  });
}

/** The schema of objects among what a schema allows. */
function objectIn(schema: unknown, document: Json): Json | undefined {
  const found = resolved(schema, document);
  if (isObject(found["properties"])) return found;
  const options = found["anyOf"];
  if (!Array.isArray(options)) return undefined;
  for (const option of options) {
    const inner = objectIn(option, document);
    if (inner !== undefined) return inner;
  }
  return undefined;
}
