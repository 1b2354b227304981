import type { Entry } from "../log/event_log.ts";
import { isCloudEvent } from "../task/cloud_event.ts";
import { isKind, MAX_BODY_BYTES, namesIn } from "../task/worker_event.ts";

const decoder = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();

/**
 * The body of a record that is moved to another log, which gives it a time of its own: an event that does not say when it
 * happened (`at`) now says when the first log took it. Everything else stays as it is, byte for byte. Pure.
 */
export function bodyWithTime({ subject, body, time }: Entry): Uint8Array {
  if (!isKind(namesIn(subject)?.kind ?? "")) return body;
  const timed = body.length === 0 ? encoder.encode(`{"at":${time}}`) : withMember(body, time);
  // A body that would become too long for an event stays without: better another time than no event.
  return timed.length > MAX_BODY_BYTES ? body : timed;
}

function withMember(body: Uint8Array, time: number): Uint8Array {
  let value: unknown;
  let text: string;
  try {
    text = decoder.decode(body);
    value = JSON.parse(text);
  } catch {
    return body;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return body;
  const [name, said] = isCloudEvent(value)
    ? ["time", `"${new Date(time).toISOString()}"`]
    : ["at", `${time}`];
  if (name in value) return body;
  const rest = text.slice(text.indexOf("{") + 1).trimStart();
  return encoder.encode(`{"${name}":${said}${rest.startsWith("}") ? "" : ","}${rest}`);
}
