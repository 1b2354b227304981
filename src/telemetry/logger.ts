/** How much a line matters, from least to most. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
/** One of {@link LOG_LEVELS}. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What a line tells beside its message. Undefined ones are left out. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Writes one line an occurrence. Messages are constant text; whatever varies, above all what others sent, is a field. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** What a logger needs. `write` gets each line with its line break; default: standard error. */
export type LoggerOptions = {
  readonly level: LogLevel;
  readonly now?: () => number;
  readonly write?: (line: string) => void;
};

/** A logger of lines `time level message key=value …`. */
export function createLogger({ level, now = Date.now, write = writeStderr }: LoggerOptions): Logger {
  const least = LOG_LEVELS.indexOf(level);
  const at = (own: LogLevel): Logger[LogLevel] => {
    if (LOG_LEVELS.indexOf(own) < least) return () => {};
    return (message, fields = {}) => write(`${logLine(now(), own, message, fields)}\n`);
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** A logger that writes nothing. */
export const silent: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** One line, without its line break. Nothing in it can end the line, look like another field or move a cursor. */
export function logLine(timeMs: number, level: LogLevel, message: string, fields: LogFields): string {
  let line = `${new Date(timeMs).toISOString()} ${level} ${visible(message)}`;
  for (const [key, value] of Object.entries(fields)) {
    if (value !== undefined) line += ` ${key.replaceAll(/[^A-Za-z0-9_.]/g, "_")}=${printed(value)}`;
  }
  return line;
}

/** The longest value of a field, in UTF-16 units; what is longer is cut and ends in `…`. */
const MAX_VALUE = 2048;

function printed(value: unknown): string {
  const text = value instanceof Error
    ? errorText(value)
    : typeof value === "string"
    ? value
    : jsonText(value);
  const cut = text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}…` : text;
  return /^[A-Za-z0-9_.:/@+,-]+$/.test(cut) ? cut : visible(JSON.stringify(cut));
}

function jsonText(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}

/** An error with its causes, as `Name: message: Name: message`. */
export function errorText(error: unknown): string {
  const parts: string[] = [];
  for (let cause = error; cause !== undefined && parts.length < 8;) {
    parts.push(cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause));
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return parts.join(": ");
}

/** `text` with control characters, line separators, and what changes the direction of writing, as `\uXXXX`. */
function visible(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** The one place that writes to standard error. */
function writeStderr(line: string): void {
  const bytes = new TextEncoder().encode(line);
  try {
    for (let written = 0; written < bytes.length;) written += Deno.stderr.writeSync(bytes.subarray(written));
  } catch {
    // A closed standard error is no reason to stop serving, and there is nobody left to tell.
  }
}
