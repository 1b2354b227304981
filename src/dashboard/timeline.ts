import type { HistoryEvent } from "../client/client.ts";

/** What the timeline shows as one line: an event, or progress that nothing came between. */
export type Entry = { readonly events: readonly [HistoryEvent, ...HistoryEvent[]] };

/** Events of a task in their order, with runs of progress put together. */
export function entriesOf(events: readonly HistoryEvent[]): readonly Entry[] {
  const entries: { events: [HistoryEvent, ...HistoryEvent[]] }[] = [];
  for (const event of events) {
    const last = entries.at(-1);
    if (event.kind === "progress" && last?.events[0].kind === "progress") last.events.push(event);
    else entries.push({ events: [event] });
  }
  return entries;
}

/** One attempt at a task, by what its events say. */
export type Attempt = {
  readonly attempt: number;
  /** When its first and its last event came, RFC 3339. */
  readonly from: string;
  readonly to: string;
  /** The kind of its last event that was neither progress nor `stale`; `progress` where there was none. */
  readonly outcome: string;
  /** What went wrong in it, as its worker said. */
  readonly error: string | null;
  readonly events: number;
};

/** What comes while an attempt goes on, or after it: its outcome is another. */
const GOES_ON: ReadonlySet<string> = new Set(["progress", "stale"]);

/** The attempts of a task, the first first. An event that names none belongs to the first. */
export function attemptsOf(events: readonly HistoryEvent[]): readonly Attempt[] {
  const attempts = new Map<number, Attempt>();
  for (const event of events) {
    if (event.kind === "created") continue;
    const number = attemptOf(event);
    // `retrying` names the attempt to come, and why the one before it ended.
    if (event.kind === "retrying") blame(attempts, number - 1, event);
    const known = attempts.get(number);
    attempts.set(number, {
      attempt: number,
      from: known?.from ?? event.time,
      to: event.time,
      outcome: GOES_ON.has(event.kind) ? known?.outcome ?? "progress" : event.kind,
      error: event.kind === "failed" ? messageOf(event) : known?.error ?? null,
      events: (known?.events ?? 0) + 1,
    });
  }
  return [...attempts.values()].sort((a, b) => a.attempt - b.attempt);
}

function blame(attempts: Map<number, Attempt>, number: number, event: HistoryEvent): void {
  const known = attempts.get(number);
  if (known !== undefined) attempts.set(number, { ...known, outcome: "failed", error: messageOf(event) });
}

/** A member of an event's body, whatever its worker wrote. */
function member(body: unknown, name: string): unknown {
  return typeof body === "object" && body !== null ? Reflect.get(body, name) : undefined;
}

function attemptOf({ body }: HistoryEvent): number {
  const attempt = member(body, "attempt");
  return typeof attempt === "number" ? attempt : 1;
}

function messageOf({ body }: HistoryEvent): string | null {
  const error = member(body, "error");
  const message = typeof error === "string" ? error : member(error, "message");
  return typeof message === "string" ? message : null;
}

/** The longest line that says what an event is about, in characters. */
const MAX_LINE = 160;

/** What an event says, in one line: its counters, what it does, its error or result; empty where it says nothing. */
export function lineOf({ kind, body }: HistoryEvent): string {
  const parts: string[] = [];
  const inner = member(body, "progress");
  const counters = typeof inner === "object" && inner !== null ? inner : body;
  const [completed, total, failed] = ["completed", "total", "failed"].map((name) => member(counters, name));
  if (kind !== "created" && (typeof completed === "number" || typeof total === "number")) {
    parts.push(`${Number(completed ?? 0)}/${typeof total === "number" ? total : "?"}`);
  }
  if (typeof failed === "number" && failed > 0) parts.push(`✗ ${failed}`);
  for (const name of ["name", "current", "status", "reason"]) {
    const text = member(name === "current" || name === "status" ? counters : body, name);
    if (typeof text === "string" && text !== "") parts.push(text);
  }
  const error = messageOf({ seq: 0, time: "", kind, body });
  if (error !== null) parts.push(error);
  const result = member(body, "result");
  if (result !== undefined && result !== null) parts.push(JSON.stringify(result));
  const line = parts.join(" · ");
  return line.length > MAX_LINE ? `${line.slice(0, MAX_LINE - 1)}…` : line;
}
