import fc from "fast-check";
import { HOSTILE } from "../transport/random_value.ts";

/** Values that parsers, schemas and folds stumble over. */
const ODD: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -0,
  -1,
  0.1 + 0.2,
  1e308,
  5e-324,
  2 ** 53,
  2 ** 53 - 1,
  -(2 ** 53),
  2 ** 31,
  2 ** 32,
  "",
  " ",
  "0",
  "null",
  "\u0000",
  "\u202e",
  "\ud800",
  "\udfff\ud800",
  "\ufeff",
  "😀".repeat(40),
  "x".repeat(129),
  "x".repeat(5_000),
  "*",
  ">",
  "task.>",
  "a.b",
  "../..",
  "a b",
  "a\nb",
  "%00",
  "<script>alert(1)</script>",
  "𝗍𝖺𝗌𝗄",
  "ｔａｓｋ",
  [],
  {},
  [[]],
  [null],
  { toString: 1 },
  { length: -1 },
  "2024-01-01T00:00:00Z",
  "9999-12-31T23:59:60Z",
  "0000-00-00T00:00:00Z",
  -8.64e15 - 1,
  8.64e15 + 1,
  ...HOSTILE,
];

const odd = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...ODD) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
  { weight: 1, arbitrary: fc.double() },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 60 }) },
  { weight: 1, arbitrary: fc.nat({ max: 80 }).map((depth) => nested(depth)) },
);

const memberName = fc.oneof(
  fc.constantFrom(...HOSTILE, "", "at", "data", "id", "type", "topics"),
  fc.string({ maxLength: 8 }),
);

/** One change of a value, somewhere in it. */
type Change = {
  /** Where: a number for each level, taken modulo what there is. */
  readonly path: readonly number[];
  readonly how: "replace" | "remove" | "rename" | "add" | "repeat";
  readonly value: unknown;
  readonly name: string;
};

const change: fc.Arbitrary<Change> = fc.record({
  path: fc.array(fc.nat({ max: 20 }), { minLength: 1, maxLength: 5 }),
  how: fc.constantFrom("replace", "replace", "replace", "remove", "rename", "add", "repeat"),
  value: odd,
  name: memberName,
});

/** The JSON text of one of these values, as it is or changed: in its structure, in its numbers and strings, in its letters. */
export function mutated(values: fc.Arbitrary<unknown>): fc.Arbitrary<string> {
  const structured = fc.tuple(values, fc.array(change, { maxLength: 3 })).map(([value, changes]) =>
    textOf(changes.reduce(changed, value))
  );
  return fc.oneof(
    { weight: 8, arbitrary: structured },
    { weight: 2, arbitrary: fc.tuple(structured, letters).map(([text, change]) => change(text)) },
  );
}

/** Changes of the text that no value has. */
const letters: fc.Arbitrary<(text: string) => string> = fc.oneof(
  fc.nat().map((at) => (text: string) => text.slice(0, at % (text.length + 1))),
  fc.constantFrom(
    (text: string) => `\ufeff${text}`,
    (text: string) => `${text},`,
    (text: string) => `${text}${text}`,
    (text: string) => text.replace(/}$/, ",}"),
    (text: string) => text.replace(/:/, " : "),
    (text: string) => text.replaceAll('"', "'"),
    (text: string) => text.replace(/\d+/, "1e400"),
    (text: string) => text.replace(/\d+/, "-1e400"),
    (text: string) => text.replace(/\d+/, "01"),
    (text: string) => text.replace(/\d+/, "0x10"),
    (text: string) => text.replace(/\d+/, "NaN"),
    (text: string) => text.replace(/\d+/, `${"9".repeat(400)}`),
    (text: string) => text.replace(/\d+/, `0.${"0".repeat(400)}1`),
    (text: string) => text.replace(/"(\w)/, '"\\u0000$1'),
    (text: string) => text.replace(/"(\w)/, '"\\ud83d$1'),
    (text: string) => text.replace(/{/, '{"__proto__":{"attempt":7,"type":"ping","admin":true},'),
    (text: string) => text.replace(/{/, '{"constructor":{"prototype":{"polluted":1}},'),
    (text: string) => text.replace(/"(\w+)":/, '"$1":1,"$1":'),
    (text: string) => `/* */${text}`,
    (text: string) => `\n\t ${text} \r\n`,
  ),
  fc.tuple(fc.nat(), fc.string({ unit: "binary", maxLength: 4 })).map(([at, more]) => (text: string) => {
    const i = at % (text.length + 1);
    return text.slice(0, i) + more + text.slice(i + more.length);
  }),
);

/** JSON, though of any value; what has no JSON is `null`, and `-0` keeps its sign. */
function textOf(value: unknown): string {
  return Object.is(value, -0) ? "-0" : JSON.stringify(value) ?? "null";
}

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { a: value };
  return value;
}

function changed(value: unknown, { path, how, value: odd, name }: Change): unknown {
  const [step = 0, ...rest] = path;
  if (typeof value !== "object" || value === null) return how === "replace" ? odd : value;
  const entries = Object.entries(value);
  const at = entries.length === 0 ? 0 : step % entries.length;
  const deeper = rest.length > 0 && typeof entries[at]?.[1] === "object";
  const next = entries.flatMap(([key, inner], i): [string, unknown][] => {
    if (i !== at) return [[key, inner]];
    if (deeper) return [[key, changed(inner, { path: rest, how, value: odd, name })]];
    switch (how) {
      case "replace":
        return [[key, odd]];
      case "remove":
        return [];
      case "rename":
        return [[name, inner]];
      case "add":
        return [[key, inner], [name, odd]];
      case "repeat":
        return [[key, inner], [key, inner]];
    }
  });
  if (Array.isArray(value)) return next.map(([, inner]) => inner);
  const made: Record<string, unknown> = {};
  // A member of the name __proto__ is one like any other, as in JSON.
  for (const [key, inner] of next) {
    Object.defineProperty(made, key, { value: inner, enumerable: true, configurable: true, writable: true });
  }
  return made;
}
