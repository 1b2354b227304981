import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { JWK } from "jose";

/** An HTTP server that has keys, or whatever else a test says it has. */
export class KeyServer implements AsyncDisposable {
  readonly #server: Server;
  /** The paths that were asked for, in order. */
  readonly asked: string[] = [];
  /** What it answers each question with. */
  answer: (response: ServerResponse) => void = (response) => response.writeHead(404).end();

  private constructor() {
    this.#server = createServer((request, response) => {
      this.asked.push(request.url ?? "");
      request.resume();
      this.answer(response);
    });
  }

  /** One that has these keys. */
  static async having(...keys: readonly JWK[]): Promise<KeyServer> {
    const server = new KeyServer();
    server.serve(...keys);
    server.#server.listen(0, "127.0.0.1");
    await once(server.#server, "listening");
    return server;
  }

  /** Has these keys from now on. */
  serve(...keys: readonly JWK[]): void {
    this.say(JSON.stringify({ keys }));
  }

  /** Has this text from now on. */
  say(text: string): void {
    this.answer = (response) => response.writeHead(200, { "content-type": "application/json" }).end(text);
  }

  /** Breaks every connection off from now on, as one that is gone. */
  vanish(): void {
    this.answer = (response) => response.destroy();
  }

  /** Where it is. */
  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new TypeError("it has no port");
    return `http://127.0.0.1:${address.port}/keys`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}
