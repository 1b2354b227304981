import { LogError } from "./event_log.ts";

/** A log that is ours alone until this is disposed of. */
export type Hold = Disposable & {
  /** Whether there was a log here before, by what was noted then. */
  readonly wasMade: boolean;
  /** Notes that there is one. */
  made(): void;
};

/**
 * Takes the lock that says that a log is ours alone, until it is disposed of; after kill -9 the kernel lets go of it. It
 * lies on a file of its own beside the log's, so that others can read the log meanwhile. Throws a `refused`
 * {@link LogError} when another has it.
 */
export function holdFile(path: string): Hold {
  const file = lockFile(path);
  try {
    if (file.tryLockSync(true)) return held(file);
  } catch (cause) {
    file.close();
    throw cause;
  }
  file.close();
  throw new LogError(
    "refused",
    `Cannot open the log "${path}": another process holds it. One gateway a DATA_DIR: ` +
      "stop the other, choose another DATA_DIR, or share a log by NATS_URL",
    { cause: new Error(`${path}.lock is locked`) },
  );
}

/** The lock's file says by its size that a log was made: where that is empty now, its end was lost, and its beginning too. */
function held(file: Deno.FsFile): Hold {
  // Its end, since to ask for its size takes the right to read it by its real name, which may be behind a link.
  const wasMade = file.seekSync(0, Deno.SeekMode.End) > 0;
  return {
    wasMade,
    made() {
      if (!wasMade) file.writeSync(new TextEncoder().encode("made\n"));
    },
    [Symbol.dispose]() {
      // A program that is just being started has a copy of every open file for a moment, and with it the lock.
      file.unlockSync();
      file.close();
    },
  };
}

function lockFile(path: string): Deno.FsFile {
  try {
    return Deno.openSync(`${path}.lock`, { create: true, read: true, write: true });
  } catch (cause) {
    if (!(cause instanceof Deno.errors.PermissionDenied)) throw cause;
    throw new LogError(
      "refused",
      `Cannot open the log "${path}": it may not be written; check the rights of the folder and the file`,
      { cause },
    );
  }
}
