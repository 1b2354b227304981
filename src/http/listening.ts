import type { Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";

/** How often it is looked whether connections are taken, ms. */
const LOOK_MS = 2_000;
/** So many looks in a row that show none are no accident: a loop that stood still takes them when it goes on. */
const LOST = 2;
/** Where nobody in particular is listened for, we are one of them. */
const OURSELVES: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };

/**
 * Sees to it that a server goes on taking connections. Deno's stops for good once the process has had as many files open as it
 * may, however many are free again: who connects often enough would shut everybody out until a restart. So where nobody
 * connects we do, and where that is not noticed we listen anew, which leaves alone the connections there are.
 */
export class Listening {
  readonly #server: Server;
  readonly #lost: (error: Error) => void;
  #isTaken = false;
  #unnoticed = 0;
  #own: Socket | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** `lost` is told of each time that connections were not taken any more. */
  constructor(server: Server, lost: (error: Error) => void) {
    this.#server = server;
    this.#lost = lost;
    server.on("connection", () => this.#noticed());
    server.on("listening", () => this.#begin());
    server.on("close", () => server.listening || this.#end());
  }

  #begin(): void {
    this.#end();
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  #end(): void {
    clearInterval(this.#timer);
    this.#hangUp();
  }

  #noticed(): void {
    this.#isTaken = true;
    this.#unnoticed = 0;
    this.#hangUp();
  }

  #hangUp(): void {
    this.#own?.destroy();
    this.#own = undefined;
  }

  #look(): void {
    const address = this.#server.address();
    if (address === null || typeof address === "string") return; // it has ended, or listens to no port
    const wasTaken = this.#isTaken;
    this.#isTaken = false;
    if (wasTaken) return;
    // One that could not be made tells nothing: there may be no files for that either.
    if (this.#own?.readyState === "open") this.#unnoticed++;
    this.#hangUp();
    if (this.#unnoticed < LOST) return this.#connect(address);
    this.#unnoticed = 0;
    this.#lost(new Error("No connections were taken any more; listening anew"));
    this.#server.close();
    this.#server.listen(address.port, address.address);
  }

  #connect({ address, port }: AddressInfo): void {
    this.#own = connect(port, OURSELVES[address] ?? address);
    this.#own.on("error", () => {}); // looked at by its state
  }
}
