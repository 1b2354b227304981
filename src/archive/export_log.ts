import { ABOUT_TASKS, channelOf } from "../channel/channel_subject.ts";
import { type Entry, type Extent, LogError, type Page } from "../log/event_log.ts";
import type { ReadableLog } from "../log/sqlite_beside.ts";
import { taskOf } from "../protocol/topics.ts";
import type { Header } from "./archive_line.ts";
import type { Place } from "./archive_reader.ts";
import { ArchiveWriter } from "./archive_writer.ts";

/** A page ends at these. */
const PAGE = { limit: 1_000, maxBytes: 4 * 1024 * 1024 };

/** Where an archive goes. Rejects when it takes no more. */
export type Sink = (lines: readonly Uint8Array[]) => Promise<void>;

/** What an export came to; `missed` positions had been taken by retention before they could be read. */
export type Exported = {
  readonly records: number;
  readonly added: number;
  readonly through: number;
  readonly sha256?: string;
  readonly missed?: { readonly from: number; readonly to: number };
};

/** How an export is done. */
export type ExportOptions = {
  /** Only records up to this position. */
  readonly upTo: number;
  /** The extent of the log when the export began. */
  readonly extent: Extent;
  /** A new archive's first line, which says after which position, and of which task; or where to go on. */
  readonly start: Header | Place;
  readonly sink: Sink;
  /** Ends the export at a checkpoint; it can go on from there. */
  readonly signal: AbortSignal;
  /** Told after every page. */
  readonly onProgress?: (through: number, records: number) => void;
};

/**
 * Writes the records of a log to an archive up to where the log is now. When reading fails, what was read is summed up by
 * a checkpoint before this rejects.
 */
export async function exportLog(log: ReadableLog, options: ExportOptions): Promise<Exported> {
  const { extent, start, sink, signal, onProgress } = options;
  const [writer, first] = "offset" in start
    ? [ArchiveWriter.goOn(start), undefined]
    : ArchiveWriter.begin(start);
  const { task } = "offset" in start ? start.header : start;
  if (first !== undefined) await sink([first]);
  const before = writer.records;
  const upTo = Math.min(options.upTo, extent.lastSeq);
  const ask = (after: number): Promise<Page> =>
    task === undefined ? log.read({ after, upTo, ...PAGE, ids: true }) : pageOf(log, task, { after, upTo });
  let next: Promise<Page> | undefined;
  try {
    while (writer.through < upTo && !signal.aborted) {
      const page: Page = await (next ?? ask(writer.through));
      // Read while this one is written.
      next = page.through < upTo ? ask(page.through) : undefined;
      next?.catch(() => {});
      await assertLife(log, extent.epoch);
      const lines = writer.page(page);
      if (lines.length > 0) await sink(lines);
      onProgress?.(writer.through, writer.records);
    }
  } catch (error) {
    // What was read is worth keeping, whatever became of the rest.
    await next?.catch(() => {});
    await sink(writer.checkpoint()).catch(() => {});
    throw error;
  }
  await next;
  const result = { records: writer.records, added: writer.records - before, through: writer.through };
  const from = "offset" in start ? start.through + 1 : Infinity;
  const missed = from < extent.firstSeq ? { missed: { from, to: Math.min(extent.firstSeq - 1, upTo) } } : {};
  if (writer.through < upTo) {
    await sink(writer.checkpoint());
    return { ...result, ...missed };
  }
  const { line, sha256 } = writer.end();
  await sink([line]);
  return { ...result, ...missed, sha256 };
}

/** A page of one task: of its events, and of the channels about it, which lie among those about others. */
async function pageOf(
  log: ReadableLog,
  task: string,
  range: { readonly after: number; readonly upTo: number },
): Promise<Page> {
  const read = (subject: string): Promise<Page> => log.read({ ...range, subject, ...PAGE, ids: true });
  const [events, values] = await Promise.all([read(`task.${task}.>`), read(`${ABOUT_TASKS}.>`)]);
  const isItsOwn = ({ subject }: Entry): boolean => taskOf(channelOf(subject)?.topic ?? "") === task;
  const through = Math.min(events.through, values.through);
  const entries = [...events.entries, ...values.entries.filter(isItsOwn)].filter(({ seq }) => seq <= through);
  return { entries: entries.sort((a, b) => a.seq - b.seq), through };
}

async function assertLife(log: ReadableLog, epoch: string): Promise<void> {
  if ((await log.extent()).epoch !== epoch) {
    throw new LogError("refused", "The log was made again while it was read");
  }
}
