import type { Command } from "commander";
import { readArchive } from "../archive/archive_reader.ts";
import { importArchive, type ImportResult, NotEmpty, type Remark } from "../archive/import_log.ts";
import { LogError } from "../log/event_log.ts";
import { archiveBytes } from "./archive_input.ts";
import { otherPartition, type Partition } from "../protocol/partitions.ts";
import { openTarget, settingsOf } from "./archive_log.ts";
import { CliError } from "./cli_error.ts";
import { EXIT } from "./exit_codes.ts";
import { ProgressLine } from "./progress_line.ts";
import { Stopped, type World } from "./world.ts";

type ImportOptions = { readonly append?: boolean; readonly check?: boolean; readonly json?: boolean };

/** `import <file>`. */
export function importCommand(program: Command, world: World): void {
  program.command("import")
    .description(
      "Store an archive in the log that the gateway's settings name (NATS_URL …, or DATA_DIR of no running gateway). " +
        "Run again, it goes on where it stopped; positions and the log's times are new, when events happened is kept",
    )
    .argument("<file>", "the archive, packed or not; - : standard input")
    .option("--append", "into a log that holds other records already")
    .option("--check", "only read the archive, and name what is wrong with it")
    .option("--json", "print JSON")
    .action(async (file: string, options: ImportOptions) => {
      world.finish(await imported(file, options, world));
    });
}

async function imported(file: string, options: ImportOptions, world: World): Promise<number> {
  const signal = world.stopSignal();
  const settings = options.check ? undefined : settingsOf(world.env);
  const target = settings && await openTarget(settings, signal);
  const partition = settings?.partition;
  let result: ImportResult;
  try {
    using line = new ProgressLine((text) => world.out.complain(text));
    result = await importArchive({
      parts: readArchive(archiveBytes(file, signal)),
      ...(target === undefined ? {} : { target }),
      append: options.append ?? false,
      only: partition && ((subject) => isOf(subject, partition)),
      signal,
      onProgress: (through, records) => line.draw(records, `position ${through} of the archive's log`),
    });
  } catch (error) {
    if (error instanceof NotEmpty) {
      throw new CliError(`${error.message}; with --append the archive is stored behind them`);
    }
    if (!(error instanceof LogError) || target === undefined) throw error;
    const message = `${error.message}; what was stored stays, and the same command goes on from there`;
    throw new CliError(message, EXIT.failed, { cause: error });
  } finally {
    await target?.[Symbol.asyncDispose]();
  }
  tell(result, options, world);
  if (signal.reason instanceof Stopped) return signal.reason.exitCode;
  return result.broken.count > 0 || result.cut !== undefined ? EXIT.failed : EXIT.done;
}

/** Whether a record may go to a partition: others NATS would bring to another one, or to none. */
function isOf(subject: string, own: Partition): boolean {
  const [namespace, id = "", kind, ...rest] = subject.split(".");
  const isTask = namespace === "task" && kind !== undefined && rest.length === 0;
  return isTask && otherPartition(id, own) === undefined;
}

function tell(result: ImportResult, { check, json }: ImportOptions, world: World): void {
  if (json) world.out.write(`${JSON.stringify(result)}\n`);
  else {
    const { stored, known, through } = result;
    const before = known === 0 ? "" : `, ${known} were there already`;
    const what = check ? "nothing stored, only read" : `${stored} records stored${before}`;
    world.out.write(`${what}; whole up to position ${through} of the archive's log\n`);
  }
  const { leftOut, passedOver, thereAlready, broken, cut } = result;
  if (passedOver > 0) world.out.complain(`left out: ${passedOver} records that are not of this partition\n`);
  if (thereAlready.count > 0) {
    const names = thereAlready.first.join(", ") +
      (thereAlready.count > thereAlready.first.length ? ", …" : "");
    world.out.complain(
      `left out: ${thereAlready.records} records of ${thereAlready.count} tasks and channels that the log has from elsewhere: ${names}\n`,
    );
  }
  remark(world, "left out", leftOut.count, leftOut.first);
  remark(world, "broken", broken.count, broken.first);
  if (cut !== undefined) remark(world, "cut off", 1, [cut]);
}

function remark(world: World, what: string, count: number, first: readonly Remark[]): void {
  for (const { line, rule } of first) world.out.complain(`${what}: line ${line}: ${rule}\n`);
  if (count > first.length) world.out.complain(`${what}: and ${count - first.length} lines more\n`);
}
