import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import process from "node:process";
import type { Readable } from "node:stream";
import { EXIT, KILLED_BY } from "./exit_codes.ts";

/** How a program ended: by itself with a code, by a signal, or not begun. */
export type ProgramEnd =
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "killed"; readonly signal: string }
  | { readonly kind: "notBegun"; readonly why: string; readonly code: string };

/** Where a program's output goes, as it comes. No more of it is read before this resolves; it never rejects. */
export type Sink = (bytes: Uint8Array) => Promise<void>;

/** A program that runs, and all that it starts: they are a process group. */
export interface Program {
  /** Resolves when it has ended and the sinks were given its output, taken or not. Never rejects. */
  readonly ended: Promise<ProgramEnd>;
  /** Sends a signal to it and all that it started. One that is gone is no trouble. */
  signal(name: Deno.Signal): void;
}

/** How long output is waited for after the end, ms: something it left behind may hold it open. */
export const OUTPUT_MS = 500;
/** What is read after the end though nobody takes it, bytes a stream: more than a system holds of what was written. */
const MAX_HELD = 4 * 1024 * 1024;

/** Begins a program with our own standard input; its output is handed on. */
export function begin(command: readonly string[], stdout: Sink, stderr: Sink): Program {
  const [file = "", ...args] = command;
  // A group of its own, so that a signal reaches what a shell has started, and not us.
  const child = spawn(file, args, { stdio: ["inherit", "pipe", "pipe"], detached: true });
  const gone = goneOf(child);
  return {
    ended: endOf(gone, [[child.stdout, stdout], [child.stderr, stderr]]),
    signal(name) {
      if (child.pid === undefined) return;
      try {
        process.kill(-child.pid, name);
      } catch {
        // It is gone.
      }
    },
  };
}

function goneOf(child: ChildProcess): Promise<ProgramEnd> {
  return new Promise((resolve) => {
    child.once("error", (error) => {
      const code = "code" in error ? String(error.code) : "";
      resolve({ kind: "notBegun", why: error.message, code });
    });
    child.once("exit", (code, signal) => {
      resolve(signal === null ? { kind: "exited", code: code ?? 0 } : { kind: "killed", signal });
    });
  });
}

async function endOf(
  gone: Promise<ProgramEnd>,
  outputs: readonly (readonly [Readable, Sink])[],
): Promise<ProgramEnd> {
  const passing = Promise.all(outputs.map(([stream, sink]) => passed(stream, sink, gone)));
  const end = await gone;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const enough = new Promise<void>((resolve) => timer = setTimeout(resolve, OUTPUT_MS));
  await Promise.race([passing, enough]);
  clearTimeout(timer);
  for (const [stream] of outputs) stream.destroy();
  return end;
}

/** Hands on what a program writes, at the pace at which it is taken; when the program is gone, the rest at once. */
async function passed(stream: Readable, sink: Sink, gone: Promise<unknown>): Promise<void> {
  let held = 0;
  try {
    for await (const bytes of stream) {
      held += bytes.length;
      const taken = sink(bytes).then(() => {
        held -= bytes.length;
      });
      await (held > MAX_HELD ? taken : Promise.race([taken, gone]));
    }
  } catch {
    // It was held open by what the program left behind, and is of no interest any more.
  }
}

/** What a shell would end with after such an end. Pure. */
export function exitCodeOf(end: ProgramEnd): number {
  switch (end.kind) {
    case "exited":
      return end.code;
    case "killed":
      return KILLED_BY + (Object.entries(constants.signals).find(([name]) => name === end.signal)?.[1] ?? 0);
    case "notBegun":
      return end.code === "ENOENT" ? EXIT.notFound : EXIT.notExecutable;
  }
}

/** Why a program's end is a failure; undefined where it is none. Its `code` is the exit code, the signal, or the system's. */
export function failureOfProgram(name: string, end: ProgramEnd): Error | undefined {
  switch (end.kind) {
    case "exited":
      return end.code === 0 ? undefined : coded(`${name} exited with code ${end.code}`, String(end.code));
    case "killed":
      return coded(`${name} was ended by ${end.signal}`, end.signal);
    case "notBegun":
      return coded(
        end.code === "ENOENT" ? `there is no program ${name}` : `${name} cannot be run: ${end.why}`,
        end.code,
      );
  }
}

function coded(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}
