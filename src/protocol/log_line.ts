/** How loud a line of a task's log may be, the quietest first. */
export const LEVELS = ["debug", "info", "warn", "error"] as const;
/** See {@link LEVELS}. */
export type Level = (typeof LEVELS)[number];

/** The longest text of a line, in UTF-16 code units. */
export const MAX_LINE_CHARS = 16_384;
