/** A gateway in a process of its own that is told what to do: see `gateway_child.ts`. */
export class ChildGateway implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #orders: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #answers: ReadableStreamDefaultReader<string>;
  #read = "";
  #port = 0;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#orders = child.stdin.getWriter();
    this.#answers = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Starts one; `env` are settings beyond the defaults. */
  static async start(env: Readonly<Record<string, string>> = {}): Promise<ChildGateway> {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-P=test", "--v8-flags=--expose-gc", PROGRAM.pathname, JSON.stringify(env)],
      cwd: new URL("../../", import.meta.url),
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const gateway = new ChildGateway(child);
    gateway.#port = await gateway.#answer();
    return gateway;
  }

  get port(): number {
    return this.#port;
  }

  /** Its address for WebSockets. */
  url(path: string): string {
    return `ws://127.0.0.1:${this.#port}${path}`;
  }

  /** Lets the whole flow happen; resolves with the position of the event that ends it. */
  async flow(): Promise<number> {
    return await this.#ask("flow");
  }

  /** The bytes it has in use. */
  async memory(): Promise<number> {
    return await this.#ask("memory");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#orders.close();
    await Promise.all([this.#child.status, this.#answers.cancel()]);
  }

  async #ask(order: string): Promise<number> {
    await this.#orders.write(new TextEncoder().encode(`${order}\n`));
    return await this.#answer();
  }

  async #answer(): Promise<number> {
    while (!this.#read.includes("\n")) {
      const { value, done } = await this.#answers.read();
      if (done) throw new Error(`The gateway ended, having said: ${this.#read}`);
      this.#read += value;
    }
    const end = this.#read.indexOf("\n");
    const line = this.#read.slice(0, end);
    this.#read = this.#read.slice(end + 1);
    return Number(line);
  }
}

const PROGRAM = new URL("gateway_child.ts", import.meta.url);
