/** Writes one line of JSON to standard output: the answer to a command. */
export function answer(value: unknown): void {
  const line = new TextEncoder().encode(`${JSON.stringify(value)}\n`);
  for (let at = 0; at < line.length;) at += Deno.stdout.writeSync(line.subarray(at));
}

/** Splits what comes on standard input into lines. */
export class LineReader {
  readonly #decoder = new TextDecoder();
  #rest = "";

  /** The lines that `bytes` completed. */
  lines(bytes: Uint8Array): string[] {
    const parts = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split("\n");
    this.#rest = parts.pop() ?? "";
    return parts;
  }
}

/** Hands each line of standard input, as JSON, to `obey`, one after the other, and answers what it returns. */
export async function obeyLines(obey: (command: unknown) => unknown): Promise<void> {
  const reader = new LineReader();
  for await (const bytes of Deno.stdin.readable) {
    for (const line of reader.lines(bytes)) answer(await obey(JSON.parse(line)));
  }
}
