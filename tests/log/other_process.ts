/** A line that the other process says. */
export type Said = Readonly<Record<string, unknown>>;

/** Another process, on the embedded log in a folder. */
export interface OtherProcess extends AsyncDisposable {
  /** The next line it says. */
  said(): Promise<Said>;
  /** What it still says until its end. */
  rest(): Promise<readonly Said[]>;
  /** Ends it by SIGKILL: nothing of it runs any more. */
  kill(): void;
}

/** Starts another process on the log in `dataDir`: see sqlite_process.ts for what it says. */
export function startOther(dataDir: string): OtherProcess {
  const script = new URL("./sqlite_process.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", script, dataDir],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const lines = linesOf(child.stdout);
  const other = {
    async said() {
      const next = await lines.next();
      if (next.done) throw new Error("The other process ended without a word");
      return next.value;
    },
    async rest() {
      const rest: Said[] = [];
      for await (const line of lines) rest.push(line);
      await child.status;
      return rest;
    },
    kill() {
      try {
        child.kill("SIGKILL");
      } catch (error) {
        // It has ended by itself.
        if (!(error instanceof TypeError)) throw error;
      }
    },
    async [Symbol.asyncDispose]() {
      other.kill();
      await other.rest();
    },
  };
  return other;
}

/** Whole lines of JSON; a last one that a kill cut off is left out. */
async function* linesOf(stdout: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<Said, void, void> {
  let rest = "";
  for await (const text of stdout.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield JSON.parse(line);
  }
}
