import { BrokenInput } from "../archive/archive_reader.ts";
import { CliError } from "./cli_error.ts";

/** Read at once, in bytes. */
const CHUNK_BYTES = 262_144;

/** What of a file is read. */
type Readable = { read(into: Uint8Array): Promise<number | null> };

/** The bytes of an open file from where it stands; they are good until the next are asked for. Ends when `signal` aborts. */
export async function* chunksOf(
  file: Readable,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
  const aborted = Promise.withResolvers<null>();
  const onAbort = (): void => aborted.resolve(null);
  signal?.addEventListener("abort", onAbort);
  if (signal?.aborted === true) onAbort();
  try {
    const buffer = new Uint8Array(CHUNK_BYTES);
    for (;;) {
      // Standard input may stay silent for ever.
      const count = await Promise.race([file.read(buffer), aborted.promise]);
      if (count === null) return;
      yield buffer.subarray(0, count);
    }
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}

/** The bytes of an archive: of a file, or of standard input (`-`); unpacked where they are packed by gzip. */
export async function* archiveBytes(
  path: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  using file = await opened(path);
  const chunks = chunksOf(file, signal);
  const { value: first } = await chunks.next();
  if (first === undefined) return;
  const whole = preceded(first, chunks);
  if (first[0] !== 0x1f || first[1] !== 0x8b) return yield* whole;
  try {
    yield* ReadableStream.from(copies(whole)).pipeThrough(new DecompressionStream("gzip"));
  } catch (cause) {
    throw new BrokenInput("what is packed breaks off, or is damaged, here", { cause });
  }
}

async function opened(path: string): Promise<Readable & Disposable> {
  if (path === "-") return { read: (into) => Deno.stdin.read(into), [Symbol.dispose]: () => {} };
  try {
    return await Deno.open(path);
  } catch (cause) {
    const why = cause instanceof Deno.errors.NotFound ? "it is not there" : String(cause);
    throw new CliError(`cannot read ${path}: ${why}`, undefined, { cause });
  }
}

async function* preceded<T>(first: T, rest: AsyncIterable<T>): AsyncGenerator<T, void, void> {
  yield first;
  yield* rest;
}

async function* copies(
  chunks: AsyncIterable<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
  for await (const chunk of chunks) yield chunk.slice();
}
