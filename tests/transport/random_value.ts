import fc from "fast-check";

/** Names that every object of JavaScript answers to, and the like. */
export const HOSTILE = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "valueOf",
  "then",
  "length",
];

/** Any JSON. */
export const json = fc.jsonValue({ maxDepth: 3 });
/** Much text, though never more than a message may have. */
export const large = fc.constantFrom(
  "x".repeat(60_000),
  "\u0000".repeat(9_000),
  "😀".repeat(14_000),
  '\\"'.repeat(15_000),
);
/** Any JSON but text. */
export const notText = fc.oneof(
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
  fc.array(json),
  fc.dictionary(fc.string(), json),
);
/** Any JSON but an object. */
export const notObject = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.string(),
  fc.array(json),
);

/** Ids as they may be; no two are the same. */
export const id = fc.tuple(
  fc.oneof(
    fc.string({ maxLength: 100 }),
    fc.string({ unit: "binary", maxLength: 50 }),
    fc.constantFrom(...HOSTILE),
  ),
  fc.uuid(),
).map(([text, unique]) => `${text.slice(0, 90)}#${unique}`);
/** What is no id. */
export const badId = fc.oneof(notText, fc.constant(""), fc.constant("x".repeat(129)), large);

/** Members that nobody asked for. */
export const extras = fc.dictionary(
  fc.oneof(fc.string({ maxLength: 10 }), fc.constantFrom(...HOSTILE)),
  fc.oneof({ weight: 30, arbitrary: json }, { weight: 1, arbitrary: large }),
  { maxKeys: 3, noNullPrototype: false },
);

/** The text of an object in an object in an object. */
export const deep = fc.integer({ min: 100, max: 9_000 }).map((depth) =>
  `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`
);

/** White space around a frame. */
export const space = fc.constantFrom("", " ", "\n\t\r ");
