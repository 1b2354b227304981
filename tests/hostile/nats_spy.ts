import { connect, type NatsConnection } from "nats";

/** Hears every message of a NATS server. */
export class NatsSpy implements AsyncDisposable {
  readonly #connection: NatsConnection;
  #subjects: string[] = [];

  private constructor(connection: NatsConnection) {
    this.#connection = connection;
    connection.subscribe(">", { callback: (_error, { subject }) => this.#subjects.push(subject) });
  }

  static async on(url: string): Promise<NatsSpy> {
    const spy = new NatsSpy(await connect({ servers: url }));
    await spy.#connection.flush();
    return spy;
  }

  /** The subjects of all that was said since it was asked last. */
  async heard(): Promise<readonly string[]> {
    await this.#connection.flush();
    const heard = this.#subjects;
    this.#subjects = [];
    return heard;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection.close();
  }
}
