import * as v from "valibot";

/** What makes Deno listen for an {@link Inspector}. */
export const INSPECT = "--inspect=127.0.0.1:0";

/** What the first one finalizes, the second one frees. */
const COLLECTIONS = 2;

const Answer = v.looseObject({
  id: v.optional(v.number()),
  result: v.optional(v.unknown()),
  error: v.optional(v.object({ message: v.string() })),
});
const Evaluated = v.object({
  result: v.object({ value: v.optional(v.unknown()) }),
  exceptionDetails: v.optional(v.object({ text: v.string() })),
});
const HeapUsage = v.object({ usedSize: v.number(), backingStorageSize: v.number() });
const Chunk = v.object({
  method: v.literal("HeapProfiler.addHeapSnapshotChunk"),
  params: v.object({ chunk: v.string() }),
});

/** A connection to the inspector of a process that was started with {@link INSPECT}. */
export class Inspector implements AsyncDisposable {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #onEvent: (event: unknown) => void = () => {};
  #asked = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => this.#message(JSON.parse(data)));
    socket.addEventListener("close", () => this.#lost());
  }

  /** Connects to the process that has said this. Rejects where it said nothing of an inspector. */
  static async connect(said: string): Promise<Inspector> {
    const url = /Debugger listening on (ws:\S+)/.exec(said)?.[1];
    if (url === undefined) throw new Error(`It cannot be inspected: ${said}`);
    const socket = new WebSocket(url);
    await next(socket, "open");
    return new Inspector(socket);
  }

  /** Makes it collect its garbage, so that what it holds is what it needs. */
  async collectGarbage(): Promise<void> {
    for (let times = 0; times < COLLECTIONS; times++) await this.#ask("HeapProfiler.collectGarbage");
  }

  /** What lies on its heap, and beside it for what lies there, bytes. */
  async heapBytes(): Promise<number> {
    const { usedSize, backingStorageSize } = v.parse(HeapUsage, await this.#ask("Runtime.getHeapUsage"));
    return usedSize + backingStorageSize;
  }

  /** The value of an expression there. Rejects where that throws. */
  async evaluate(expression: string): Promise<unknown> {
    const answer = await this.#ask("Runtime.evaluate", { expression, returnByValue: true });
    const { result, exceptionDetails } = v.parse(Evaluated, answer);
    if (exceptionDetails !== undefined) throw new Error(`${expression}: ${exceptionDetails.text}`);
    return result.value;
  }

  /** Everything on its heap as text, which developers' tools of browsers read (`.heapsnapshot`). */
  async heapSnapshot(): Promise<string> {
    const chunks: string[] = [];
    this.#onEvent = (event) => {
      if (v.is(Chunk, event)) chunks.push(event.params.chunk);
    };
    await this.#ask("HeapProfiler.takeHeapSnapshot", { reportProgress: false });
    return chunks.join("");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    const closed = next(this.#socket, "close");
    this.#socket.close();
    await closed;
  }

  #ask(method: string, params: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const answered = Promise.withResolvers<unknown>();
    const id = ++this.#asked;
    this.#waiting.set(id, answered);
    if (this.#socket.readyState !== WebSocket.OPEN) this.#lost();
    else this.#socket.send(JSON.stringify({ id, method, params }));
    return answered.promise;
  }

  #message(message: unknown): void {
    const { id, result, error } = v.parse(Answer, message);
    if (id === undefined) return this.#onEvent(message);
    const answered = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) answered?.resolve(result);
    else answered?.reject(new Error(error.message));
  }

  #lost(): void {
    for (const { reject } of this.#waiting.values()) {
      reject(new Error("The inspector's connection is closed"));
    }
    this.#waiting.clear();
  }
}

/** Makes a process that was started with {@link INSPECT} collect its garbage. */
export async function collectGarbage({ said }: { readonly said: string }): Promise<void> {
  await using inspector = await Inspector.connect(said);
  await inspector.collectGarbage();
}

function next(socket: WebSocket, what: "open" | "close"): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.addEventListener(what, () => resolve(), { once: true });
    socket.addEventListener("error", () => reject(new Error("The inspector's connection broke")), {
      once: true,
    });
  });
}
