/** A standard stream of this process. */
type Stream = {
  write(bytes: Uint8Array): Promise<number>;
  writeSync(bytes: Uint8Array): number;
};

/** How long a stream that answers "try again", which one does that is not to make anybody wait, is left alone, ms. */
const AGAIN_MS = 10;

/** Is told why a stream takes no more; undefined: whoever read it has left (`… | head`). */
export type Lost = (why: string | undefined) => void;

/** Where bytes go out, in order. Once the stream fails it takes no more, and what it is given is dropped. */
export class Outlet {
  readonly #stream: Stream;
  readonly #lost: Lost;
  #isGone = false;
  #passed: Promise<void> = Promise.resolve();

  /** `lost` is called once at most. */
  constructor(stream: Stream, lost: Lost) {
    this.#stream = stream;
    this.#lost = lost;
  }

  /** Writes all of it before it returns, and stands still meanwhile, for as long as nobody reads. */
  put(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length && !this.#isGone;) {
      try {
        from += this.#stream.writeSync(bytes.subarray(from));
      } catch (error) {
        if (isForNow(error)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, AGAIN_MS);
        else this.#lose(error);
      }
    }
  }

  /** Resolves when all of it was taken, or none of it will be; everything else goes on meanwhile. Never rejects. */
  pass(bytes: Uint8Array): Promise<void> {
    return this.#passed = this.#passed.then(() => this.#write(bytes));
  }

  /** Resolves when all that was passed was taken, or none of it will be. */
  flushed(): Promise<void> {
    return this.#passed;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let from = 0; from < bytes.length && !this.#isGone;) {
      try {
        from += await this.#stream.write(bytes.subarray(from));
      } catch (error) {
        if (isForNow(error)) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
        else this.#lose(error);
      }
    }
  }

  #lose(error: unknown): void {
    this.#isGone = true;
    const why = error instanceof Error ? error.message : String(error);
    this.#lost(error instanceof Deno.errors.BrokenPipe ? undefined : why);
  }
}

function isForNow(error: unknown): boolean {
  return error instanceof Deno.errors.WouldBlock || error instanceof Deno.errors.Interrupted;
}
