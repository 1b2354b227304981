import * as v from "valibot";

/** What names an event among those of its task, so that it is stored once: 1–100 visible ASCII characters. */
export const EventKey = v.pipe(
  v.string(),
  v.regex(/^[\x21-\x7e]{1,100}$/, "must be 1–100 visible ASCII characters"),
);
