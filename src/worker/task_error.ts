/** Long enough for a message, and within an event's 64 KiB whatever its characters need in JSON. */
const MAX_MESSAGE = 4096;

const MAX_CODE = 128;

/** What a thrown value is to the log: its message, and its `code` where that is text. Never throws. */
export function taskError(error: unknown): { readonly message: string; readonly code?: string } {
  try {
    const message = memberOf(error, "message") || memberOf(error, "name") || String(error);
    const code = memberOf(error, "code");
    return {
      message: message.slice(0, MAX_MESSAGE),
      ...(code === "" ? {} : { code: code.slice(0, MAX_CODE) }),
    };
  } catch {
    return { message: "an error that cannot be shown" };
  }
}

/** The text that `value` has as `member`; empty where it has none. */
function memberOf(value: unknown, member: "message" | "name" | "code"): string {
  const holder: { readonly [name: string]: unknown } = Object(value);
  const text = holder[member];
  return typeof text === "string" ? text : "";
}
