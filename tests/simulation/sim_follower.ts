import { assertEquals } from "@std/assert";
import { type Client, connect } from "../../src/client/client.ts";
import { ChannelWitness } from "./sim_channels.ts";
import type { SimClientWorld } from "./sim_client.ts";

/** A client with the real code that watches channels and, beside them, at most one task: what it misses is read by itself. */
export class SimFollower {
  readonly name: string;
  readonly witness: ChannelWitness;
  readonly faults: unknown[] = [];
  readonly #client: Client;

  constructor(
    name: string,
    topics: readonly string[],
    { time, network, chance, tokenMs, head }: SimClientWorld,
  ) {
    this.name = name;
    this.witness = new ChannelWitness(topics);
    const own = chance.of(name);
    const { clock } = time.life(own.next);
    this.#client = connect("ws://proxy/ws", {
      clock,
      random: clock.random,
      open: network.opener(name, own.of("network")),
      ...(tokenMs === undefined ? {} : { token: () => Promise.resolve(`until-${time.now() + tokenMs}`) }),
    });
    this.#client.subscribe(
      topics,
      (frame) => {
        try {
          this.witness.take(frame);
        } catch (error) {
          this.faults.push(error);
        }
      },
      {
        replay: "all",
        onLive: (isLive) => this.witness.becomes(isLive, head()),
        onError: ({ code }) => this.faults.push(new Error(`${topics} are refused: ${code}`)),
      },
    );
  }

  close(): void {
    this.#client.close();
  }

  /** Whether nothing is left to be done. */
  assertAtRest(): void {
    assertEquals(this.#client.state.kind, "open", `${this.name} is connected`);
    assertEquals(this.witness.isLive, true, `what ${this.name} watches is live`);
  }
}
