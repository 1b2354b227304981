import { type Part, readArchive } from "../../src/archive/archive_reader.ts";
import { FORMAT, type Header } from "../../src/archive/archive_line.ts";
import { type Exported, exportLog } from "../../src/archive/export_log.ts";
import { embeddedTarget, jetStreamTarget, type Target } from "../../src/archive/imported.ts";
import { importArchive, type ImportOptions, type ImportResult } from "../../src/archive/import_log.ts";
import type { Entry, EventLog, NewEntry } from "../../src/log/event_log.ts";
import { openJetStreamLog } from "../../src/log/jetstream_log.ts";
import type { ReadableLog } from "../../src/log/sqlite_beside.ts";
import { openSqliteLog, type SqliteLog } from "../../src/log/sqlite_log.ts";
import { fold, type TaskState } from "../../src/task/fold.ts";
import { statusData } from "../../src/task/task.ts";
import { parseRecord } from "../../src/task/worker_event.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Short, so that a test can outlive it. */
export const WINDOW_MS = 100;
const RETENTION = { retainAgeMs: 86_400_000, retainPerSubject: 1_000_000, dedupWindowMs: WINDOW_MS };

/** An embedded log in a folder of its own, and the folder's end. */
export async function embedded(now?: () => number): Promise<SqliteLog & { readonly dataDir: string }> {
  const dataDir = await Deno.makeTempDir({ prefix: "taskwire-archive-" });
  const log = await openSqliteLog({ ...RETENTION, dataDir, ...(now === undefined ? {} : { now }) });
  return Object.assign(log, {
    dataDir,
    [Symbol.asyncDispose]: disposing(log, dataDir),
  });
}

function disposing(log: SqliteLog, dataDir: string): () => Promise<void> {
  const dispose = log[Symbol.asyncDispose].bind(log);
  return async () => {
    await dispose();
    await Deno.remove(dataDir, { recursive: true });
  };
}

/** A stream of its own on a server. */
export function onNats(url: string, stream: string): Promise<EventLog> {
  const place = { nats: { url }, stream, prefix: stream.toLowerCase(), replicas: 1 };
  return openJetStreamLog({ ...place, ...RETENTION });
}

/** What an embedded log, or a stream, is as a target. */
export function targetOf(log: EventLog | SqliteLog): Target {
  return "moved" in log ? embeddedTarget(log) : jetStreamTarget(log);
}

/** One event of a task. */
export function event(task: string, kind: string, body: unknown = {}): NewEntry {
  return { subject: `task.${task}.${kind}`, body: encoder.encode(JSON.stringify(body)) };
}

/** The lives of some tasks, interleaved: some say when things happened, some do not, some are no events at all. */
export function lives(tasks: number, steps: number): NewEntry[] {
  const entries: NewEntry[] = [];
  const each = (make: (task: string, i: number) => NewEntry): void => {
    for (let i = 0; i < tasks; i++) entries.push(make(`t${i}`, i));
  };
  each((task, i) => event(task, "created", { name: `Task ${i} – „ä“`, tags: [`tag${i % 3}`], total: steps }));
  each((task, i) => event(task, "started", i % 2 === 0 ? {} : { at: 1_700_000_000_000 + i }));
  for (let n = 1; n <= steps; n++) {
    each((task) => event(task, "progress", { completed: n, current: `step ${n}` }));
  }
  each((task, i) => i % 3 === 0 ? event(task, "failed", { error: "no" }) : event(task, "completed"));
  entries.push({ subject: "task.odd.progress", body: new Uint8Array([0xff, 0x00, 0x0a, 0x80]) });
  entries.push({ subject: "task.odd.progress", body: new Uint8Array(0) });
  entries.push({ subject: "data.note", body: encoder.encode("no JSON\nat all"), traceparent: "00-ab-cd-01" });
  return entries;
}

/** All records of a log. */
export async function entriesOf(log: ReadableLog): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  const { lastSeq } = await log.extent();
  for (let after = 0; after < lastSeq;) {
    const page = await log.read({ after, limit: 1_000 });
    entries.push(...page.entries.map((entry) => ({ ...entry, body: entry.body.slice() })));
    after = page.through;
  }
  return entries;
}

/** What a record says, without where and when it lies: with `at` apart, which an import adds. */
export function said({ subject, body, traceparent }: Entry): unknown {
  const text = decoder.decode(body);
  try {
    const { at: _, ...rest } = JSON.parse(text === "" ? "{}" : text);
    return { subject, rest, traceparent };
  } catch {
    return { subject, body: [...body], traceparent };
  }
}

/** Every task that the records make, with its times. */
export function tasksOf(entries: readonly Entry[]): unknown {
  const states = new Map<string, TaskState>();
  for (const entry of entries) {
    const parsed = parseRecord(entry);
    if ("event" in parsed) {
      states.set(parsed.event.taskId, fold(states.get(parsed.event.taskId), parsed.event));
    }
  }
  return [...states.values()].map((state) => statusData(state, undefined));
}

/** Exports to memory. */
export async function exportedText(
  log: ReadableLog,
  { after = 0, upTo = Infinity, task }: {
    readonly after?: number;
    readonly upTo?: number;
    readonly task?: string;
  } = {},
): Promise<{ readonly text: string; readonly result: Exported }> {
  const extent = await log.extent();
  const header: Header = {
    taskwire_archive: FORMAT,
    epoch: extent.epoch,
    stream: null,
    subject_prefix: null,
    after,
    first: extent.firstSeq,
    last: extent.lastSeq,
    ...(task === undefined ? {} : { task }),
    at: "2026-01-01T00:00:00.000Z",
  };
  let text = "";
  const result = await exportLog(log, {
    upTo,
    extent,
    start: header,
    sink: (lines) => {
      for (const line of lines) text += decoder.decode(line);
      return Promise.resolve();
    },
    signal: new AbortController().signal,
  });
  return { text, result };
}

/** The parts of an archive, that comes in pieces of some bytes. */
export function parts(archive: string | Uint8Array, pieceBytes = 1_000): AsyncGenerator<Part> {
  const bytes = typeof archive === "string" ? encoder.encode(archive) : archive;
  return readArchive((async function* () {
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.slice(at, at + pieceBytes);
  })());
}

/** Imports from memory. */
export async function importedFrom(
  archive: string | Uint8Array,
  log: EventLog | SqliteLog,
  options: Partial<ImportOptions> = {},
): Promise<ImportResult> {
  const { signal } = new AbortController();
  return await importArchive({
    parts: parts(archive, 65_536),
    target: targetOf(log),
    append: false,
    signal,
    ...options,
  });
}
