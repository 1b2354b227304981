import type { Header } from "../archive/archive_line.ts";
import { type Place, readArchive } from "../archive/archive_reader.ts";
import type { Sink } from "../archive/export_log.ts";
import { concat } from "../protocol/codec.ts";
import { chunksOf } from "./archive_input.ts";
import { CliError } from "./cli_error.ts";
import type { World } from "./world.ts";

/** Where an archive is written. Disposing it lets go of it; what was written stays. */
export interface ArchiveOutput extends AsyncDisposable {
  /** What is there already, to go on from; absent where there is nothing. */
  readonly place?: Place;
  readonly sink: Sink;
  /** Brings everything to where it is safe. */
  finish(): Promise<void>;
}

/** Opens a file, a packed file (`.gz`) or standard output (`-`) for an archive. Throws a {@link CliError}. */
export async function openOutput(path: string, world: World): Promise<ArchiveOutput> {
  if (path === "-") return standardOutput(world);
  return path.endsWith(".gz") ? await packedFile(path) : await plainFile(path);
}

function standardOutput(world: World): ArchiveOutput {
  let lost: Error | undefined;
  const outlet = world.out.outlet("stdout", (why) => {
    lost = new CliError(`standard output takes no more: ${why ?? "nobody reads it"}`);
  });
  return {
    async sink(lines) {
      await outlet.pass(concat(lines));
      if (lost !== undefined) throw lost;
    },
    finish: () => outlet.flushed(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function packedFile(path: string): Promise<ArchiveOutput> {
  const file = await opened(path, { write: true, createNew: true });
  const { readable, writable } = new CompressionStream("gzip");
  const writer = writable.getWriter();
  const written = (async () => {
    for await (const chunk of readable) await writeAll(file, chunk);
  })();
  // Whoever writes next is told.
  written.catch((error) => writer.abort(error).catch(() => {}));
  let isFinished = false;
  const finish = async (): Promise<void> => {
    if (isFinished) return;
    isFinished = true;
    await writer.close();
    await written;
    await file.syncData();
  };
  return {
    sink: (lines) => writer.write(concat(lines)),
    finish,
    async [Symbol.asyncDispose]() {
      // Whatever happened: what was written is to be a whole packed file.
      await finish().catch(() => {});
      file.close();
    },
  };
}

async function plainFile(path: string): Promise<ArchiveOutput> {
  const file = await opened(path, { read: true, write: true, create: true });
  try {
    if (!file.tryLockSync(true)) throw new CliError(`cannot write ${path}: another export writes it`);
    const place = (await file.stat()).size === 0 ? undefined : await placeIn(file, path);
    let isThere = false;
    return {
      ...(place === undefined ? {} : { place }),
      async sink(lines) {
        // Only now: until something is to be written, nothing is taken away.
        if (!isThere) await goTo(file, place?.offset ?? 0);
        isThere = true;
        await writeAll(file, concat(lines));
      },
      finish: () => file.syncData(),
      [Symbol.asyncDispose]: () => Promise.try(() => file.close()),
    };
  } catch (error) {
    file.close();
    throw error;
  }
}

async function goTo(file: Deno.FsFile, offset: number): Promise<void> {
  await file.truncate(offset);
  await file.seek(offset, Deno.SeekMode.Start);
}

/** The last place of the file up to which it is whole. Throws where that would give up more than a cut-off end. */
async function placeIn(file: Deno.FsFile, path: string): Promise<Place> {
  let place: Place | undefined;
  for await (const part of readArchive(chunksOf(file))) {
    if (part.kind === "header" || part.kind === "records") place = part.place;
    if (part.kind === "broken") {
      throw new CliError(
        `cannot go on with ${path}: line ${part.line} ${part.rule}; the file is left as it is, give another`,
      );
    }
  }
  if (place === undefined) throw new CliError(`cannot go on with ${path}: it holds no archive`);
  return place;
}

/** Why an export cannot go on in a file that was begun so; undefined where it can. Pure. */
export function differenceOf(
  { header, through }: Place,
  asked: Pick<Header, "epoch" | "stream" | "subject_prefix" | "task"> & {
    readonly after?: number | undefined;
  },
): string | undefined {
  if (header.epoch !== asked.epoch) {
    return `it is of another log, or of another life of it (epoch ${header.epoch}, this one's is ${asked.epoch})`;
  }
  if (header.stream !== asked.stream || header.subject_prefix !== asked.subject_prefix) {
    return `it is of the stream ${header.stream} below ${header.subject_prefix}`;
  }
  if (header.task !== asked.task) {
    return header.task === undefined ? "it is of all tasks" : `it is of the task ${header.task}`;
  }
  if (asked.after !== undefined && asked.after !== header.after) {
    return `it begins after position ${header.after} (and goes on after ${through}): leave out --since`;
  }
  return undefined;
}

async function opened(path: string, options: Deno.OpenOptions): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path, options);
  } catch (cause) {
    const why = cause instanceof Deno.errors.AlreadyExists
      ? "it is there already, and a packed file cannot be gone on with"
      : cause instanceof Error
      ? cause.message
      : String(cause);
    throw new CliError(`cannot write ${path}: ${why}`, undefined, { cause });
  }
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}
