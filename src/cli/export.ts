import type { Command } from "commander";
import { FORMAT, type Header } from "../archive/archive_line.ts";
import type { Place } from "../archive/archive_reader.ts";
import { type Exported, exportLog } from "../archive/export_log.ts";
import type { At } from "../client/client.ts";
import type { Extent } from "../log/event_log.ts";
import { positionAt } from "../log/position_at.ts";
import type { ReadableLog } from "../log/sqlite_beside.ts";
import type { Settings } from "../settings/settings.ts";
import { placeOf } from "../protocol/partitions.ts";
import { openSource, settingsOf } from "./archive_log.ts";
import { type ArchiveOutput, differenceOf, openOutput } from "./archive_output.ts";
import { at, taskId } from "./arguments.ts";
import { CliError } from "./cli_error.ts";
import { EXIT } from "./exit_codes.ts";
import { ProgressLine } from "./progress_line.ts";
import { Stopped, type World } from "./world.ts";

type ExportOptions = {
  readonly since?: At;
  readonly until?: At;
  readonly task?: string;
  readonly json?: boolean;
};

/** `export <file>`. */
export function exportCommand(program: Command, world: World): void {
  program.command("export")
    .description(
      "Write the log that the gateway's settings name (NATS_URL …, or DATA_DIR) to an archive, beside a running gateway. " +
        "A file that is there is gone on with where it ends",
    )
    .argument("<file>", "the archive; .gz: packed, - : standard output; neither can be gone on with")
    .option("--since <at>", "from this position or time on", at)
    .option("--until <at>", "up to this position or time, with it", at)
    .option("--task <id>", "only the events of this task", taskId)
    .option("--json", "print JSON")
    .action(async (file: string, options: ExportOptions) => {
      world.finish(await exported(file, options, world));
    });
}

async function exported(file: string, options: ExportOptions, world: World): Promise<number> {
  const settings = settingsOf(world.env);
  const signal = world.stopSignal();
  await using log = await openSource(settings, signal);
  const extent = await log.extent();
  const after = options.since === undefined ? undefined : await positionOf(log, extent, options.since);
  const upTo = options.until === undefined ? extent.lastSeq : await endOf(log, extent, options.until);
  await using output = await openOutput(file, world);
  const header = headerOf(settings, extent, { after: after ?? 0, task: options.task });
  const start = startOf(file, output, header, after);
  let result: Exported;
  {
    using line = new ProgressLine((text) => world.out.complain(text));
    result = await exportLog(log, {
      upTo,
      extent,
      start,
      sink: output.sink,
      signal,
      onProgress: (through, records) => line.draw(records, `position ${through} of ${upTo}`),
    });
    await output.finish();
  }
  tell(file, result, options, world);
  return signal.reason instanceof Stopped ? signal.reason.exitCode : EXIT.done;
}

function headerOf(
  { nats, stream, subjectPrefix, partition }: Settings,
  { epoch, firstSeq, lastSeq }: Extent,
  { after, task }: { readonly after: number; readonly task: string | undefined },
): Header {
  const place = placeOf({ stream, prefix: subjectPrefix }, partition?.partition);
  return {
    taskwire_archive: FORMAT,
    epoch,
    stream: nats === undefined ? null : place.stream,
    subject_prefix: nats === undefined ? null : place.prefix,
    after,
    first: firstSeq,
    last: lastSeq,
    ...(task === undefined ? {} : { task }),
    at: new Date().toISOString(),
  };
}

function startOf(
  file: string,
  { place }: ArchiveOutput,
  header: Header,
  after: number | undefined,
): Header | Place {
  if (place === undefined) return header;
  const difference = differenceOf(place, { ...header, after });
  if (difference === undefined) return place;
  throw new CliError(
    `cannot go on with ${file}: ${difference}; the records that it has are left as they are`,
  );
}

async function positionOf(log: ReadableLog, extent: Extent, since: At): Promise<number> {
  if ("seq" in since) return Math.max(0, since.seq - 1);
  return await positionAt(log, new Date(since.time).getTime() - 1, extent);
}

async function endOf(log: ReadableLog, extent: Extent, until: At): Promise<number> {
  if ("seq" in until) return until.seq;
  return await positionAt(log, new Date(until.time).getTime(), extent);
}

function tell(file: string, result: Exported, { json }: ExportOptions, world: World): void {
  const { records, added, through, missed, sha256 } = result;
  // Standard output may be the archive.
  const say = (text: string): void => file === "-" ? world.out.complain(text) : world.out.write(text);
  if (missed !== undefined) {
    world.out.complain(
      `warning: retention had taken positions ${missed.from} to ${missed.to} before they were exported\n`,
    );
  }
  if (json) return say(`${JSON.stringify({ file, ...result })}\n`);
  const more = added === records ? "" : `, ${added} of them new`;
  const so = sha256 === undefined ? "stopped; the same command goes on from there" : `SHA-256 ${sha256}`;
  say(`${records} records${more}, up to position ${through} (${so})\n`);
}
