import { run } from "../programs.ts";

/** A file system of a few megabytes, in memory. Disposing of it takes it away. */
export type SmallDisk = AsyncDisposable & {
  readonly path: string;
  /** Takes all the room that is left. */
  fill(): Promise<void>;
  /** Gives it back. */
  makeRoom(): Promise<void>;
};

const BLOCK_BYTES = 4_096;

/** What is mounted still: a test file that dies of an uncaught error leaves nothing behind either. */
const mounted = new Set<string>();

globalThis.addEventListener("unload", () => {
  for (const path of mounted) new Deno.Command("umount", { args: ["--lazy", path] }).outputSync();
});

/** Why no disk can be made here that may be filled; undefined where one can. */
export const NO_SMALL_DISK: string | undefined = await mountable();

/** Mounts a disk of `megabytes`. Rejects where that is not allowed: see {@link NO_SMALL_DISK}. */
export async function smallDisk(megabytes: number): Promise<SmallDisk> {
  const path = await Deno.makeTempDir({ prefix: "taskwire-disk-" });
  await run("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", path]);
  mounted.add(path);
  const filling = `${path}/filling`;
  return {
    path,
    async fill() {
      using file = await Deno.open(filling, { create: true, append: true });
      // In ever smaller pieces: not a byte is left.
      for (let bytes = 256 * BLOCK_BYTES; bytes >= BLOCK_BYTES; bytes /= 2) {
        while (await file.write(new Uint8Array(bytes)).catch(() => 0) === bytes);
      }
    },
    makeRoom: () => Deno.remove(filling),
    async [Symbol.asyncDispose]() {
      await run("umount", ["--lazy", path]);
      mounted.delete(path);
      await Deno.remove(path, { recursive: true });
    },
  };
}

async function mountable(): Promise<string | undefined> {
  try {
    await using _disk = await smallDisk(1);
    return undefined;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return `no file system may be mounted here (root may): ${why}`;
  }
}
