import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { brotliCompress } from "node:zlib";
import type { TaskReporter, Worker } from "../worker/task_reporter.ts";

/** A file to work on, and where the tasks leave what they hand on to each other. */
export type Input = { readonly files: readonly string[]; readonly root: string; readonly scratch: string };

/** Folders that hold nothing of the user's own. */
const SKIPPED = new Set(["node_modules", ".git", "data", "coverage", "target", "dist"]);
const MAX_FILES = 2_000;
const MAX_BYTES = 4_000_000;

const compress = promisify(brotliCompress);

/** The regular files below `root`, at most two thousand of at most 4 MB, in order of path. */
export async function filesBelow(root: string): Promise<string[]> {
  const files: string[] = [];
  const folders = [root];
  for (let folder = folders.shift(); folder !== undefined; folder = folders.shift()) {
    for await (const entry of Deno.readDir(folder)) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory && !SKIPPED.has(entry.name)) folders.push(path);
      if (entry.isFile && (await Deno.stat(path)).size <= MAX_BYTES) files.push(path);
      if (files.length === MAX_FILES) return files.sort();
    }
  }
  return files.sort();
}

/**
 * Four tasks at once on the same files: one that hashes them all, one that compresses them, one that checks the hashes
 * and is tried again until the first has written them, and one that takes every file for JSON, and fails on the first that
 * is not. Resolves when all have ended.
 */
export async function workOn(worker: Worker, input: Input, runId: string): Promise<void> {
  const about = { tags: [`demo-${runId}`], total: input.files.length };
  await Promise.allSettled([
    worker.run(
      `hash-${runId}`,
      { ...about, name: "Hash every file", type: "hash" },
      (task) => hash(task, input),
    ),
    worker.run(`brotli-${runId}`, { ...about, name: "Compress every file", type: "compress" }, (task) => {
      return squeeze(task, input);
    }),
    worker.run(
      `verify-${runId}`,
      {
        ...about,
        name: "Check the hashes",
        type: "verify",
        attempts: 20,
        backoff: { firstMs: 500, maxMs: 2_000 },
      },
      (task) => verify(task, input),
    ),
    worker.run(`json-${runId}`, { ...about, name: "Read every file as JSON", type: "parse" }, (task) => {
      return parse(task, input);
    }),
  ]);
}

async function hash(
  task: TaskReporter,
  { files, scratch }: Input,
): Promise<{ files: number; bytes: number }> {
  const sums: Record<string, string> = {};
  let bytes = 0;
  for await (const file of task.track(files)) {
    const content = await Deno.readFile(file);
    bytes += content.length;
    sums[file] = sha256(content);
  }
  await Deno.writeTextFile(`${scratch}/sums.part`, JSON.stringify(sums));
  await Deno.rename(`${scratch}/sums.part`, `${scratch}/sums.json`);
  return { files: files.length, bytes };
}

async function squeeze(task: TaskReporter, { files }: Input): Promise<{ bytes: number; compressed: number }> {
  let bytes = 0;
  let compressed = 0;
  for await (const file of task.track(files)) {
    const content = await Deno.readFile(file);
    bytes += content.length;
    compressed += (await compress(content)).length;
  }
  return { bytes, compressed };
}

async function verify(task: TaskReporter, { files, scratch }: Input): Promise<{ verified: number }> {
  const sums: Record<string, string> = JSON.parse(await Deno.readTextFile(`${scratch}/sums.json`));
  for await (const file of task.track(files)) {
    if (sums[file] !== sha256(await Deno.readFile(file))) throw new Error(`${file} changed meanwhile`);
  }
  return { verified: files.length };
}

async function parse(task: TaskReporter, { files, root }: Input): Promise<{ parsed: number }> {
  for await (const file of task.track(files)) {
    try {
      JSON.parse(await Deno.readTextFile(file));
    } catch (cause) {
      throw new Error(`${file.slice(root.length + 1)} is not JSON`, { cause });
    }
  }
  return { parsed: files.length };
}

function sha256(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}
