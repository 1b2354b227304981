import { type Client, type ClientOptions, connect, type PushedFrame } from "../../src/client/client.ts";
import type { OpenSocket } from "../../src/client/socket.ts";
import { settled, World, type WorldOptions } from "../connection/world.ts";
import { Wire } from "./wire.ts";

/** A gateway, a network and a client, in a time that the test moves. */
export class Bench {
  readonly world: World;
  readonly wire: Wire;

  /** Has the client hear a message that no gateway sent. */
  tell: (text: string) => void = () => {};

  private constructor(world: World) {
    this.world = world;
    this.wire = new Wire(world);
  }

  static async start(options: WorldOptions = {}): Promise<Bench> {
    return new Bench(await World.booted(options));
  }

  connect(options: ClientOptions = {}): Client {
    const { clock } = this.world;
    const open: OpenSocket = (url, listener) => {
      this.tell = listener.message;
      return this.wire.socket(url, listener);
    };
    return connect("ws://gateway/ws", { clock, random: () => 0.5, open, ...options });
  }

  /** Lets `ms` pass in small steps, and all that comes of it. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 5) {
      this.world.clock.advance(Math.min(5, left));
      await settled();
    }
  }

  /** An event happens and is told. */
  async event(task: string, kind: string, body: object = {}): Promise<void> {
    this.world.put(task, kind, body);
    await this.world.follow();
    await this.pass(60);
  }
}

/** Frames as one word each. */
export function words(frames: readonly PushedFrame[]): string[] {
  return frames.map((frame) => {
    switch (frame.type) {
      case "task_status":
        return `${frame.data.task_id} ${frame.data.status}`;
      case "task_progress":
        return `${frame.data.task_id} ${frame.data.progress.completed}`;
      default:
        return frame.type;
    }
  });
}
