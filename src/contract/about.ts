/** What all of it is about, in both documents. */
export const INFO = {
  title: "taskwire",
  version: "1",
  description:
    "Live, durable progress of background tasks. What JSON Schema cannot say, PROTOCOL.md does: lengths are " +
    "counted in UTF-16 code units, a text in place of a time becomes one, and members that are not known are ignored.",
  license: { name: "MIT", identifier: "MIT" },
} as const;
