import { assertEquals } from "@std/assert";
import { eventually } from "../eventually.ts";
import { ROOT } from "../gateway/gateway_process.ts";
import { utf8 } from "./raw_bytes.ts";

/** As many files as the gateway may have open, connections among them. */
const FILES = 200;

/** A gateway that may have few files open, which ends with the shell that started it. */
class Confined implements AsyncDisposable {
  readonly #dataDir: string;
  readonly #child: Deno.ChildProcess;
  readonly #said: Promise<unknown>;
  said = "";

  private constructor(dataDir: string) {
    this.#dataDir = dataDir;
    const allowed = [`--allow-read=src,${dataDir}`, `--allow-write=${dataDir}`];
    this.#child = new Deno.Command("sh", {
      args: ["-c", `ulimit -n ${FILES}; exec "$0" "$@"`, Deno.execPath(), "run", "-P", ...allowed, "main.ts"],
      cwd: ROOT,
      env: { PORT: "0", DATA_DIR: dataDir, NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#said = Promise.all([this.#read(this.#child.stdout), this.#read(this.#child.stderr)]);
  }

  static async start(): Promise<Confined> {
    const confined = new Confined(await Deno.makeTempDir({ prefix: "taskwire-hostile-" }));
    await eventually("it is ready", () => confined.port > 0 && confined.isReady(), 30_000);
    return confined;
  }

  get port(): number {
    return Number(/listens on http:\/\/\S+:(\d+)/.exec(this.said)?.[1] ?? 0);
  }

  /** Whether somebody who connects now is answered within a second. */
  async isReady(): Promise<boolean> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: this.port });
    let isLate = false;
    const late = setTimeout(() => {
      isLate = true;
      connection.close();
    }, 1_000);
    try {
      await connection.write(utf8("GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
      const answer = new Uint8Array(1_024);
      const read = await connection.read(answer) ?? 0;
      return new TextDecoder().decode(answer.subarray(0, read)).startsWith("HTTP/1.1 200");
    } catch {
      return false; // hung up on, by them or by us
    } finally {
      clearTimeout(late);
      if (!isLate) connection.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await this.#said;
    await Deno.remove(this.#dataDir, { recursive: true });
  }

  async #read(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) this.said += text;
  }
}

Deno.test("who has connected until no files were left shuts others out for as long, and no longer", async () => {
  await using gateway = await Confined.start();
  const connections: Deno.TcpConn[] = [];
  for (let i = 0; i < FILES; i++) {
    connections.push(await Deno.connect({ hostname: "127.0.0.1", port: gateway.port }));
  }
  assertEquals(await gateway.isReady(), false);
  for (const connection of connections) connection.close();
  await eventually("others are let in again", () => gateway.isReady(), 20_000);
  assertEquals(gateway.said.match(/listening anew/g)?.length, 1, gateway.said);
  for (let i = 0; i < 3; i++) assertEquals(await gateway.isReady(), true);
});
