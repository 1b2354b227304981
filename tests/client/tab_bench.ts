import { assertEquals } from "@std/assert";
import { type Client, type ClientOptions, connect } from "../../src/client/client.ts";
import { shareTabs } from "../../src/client/tab_share.ts";
import { settled, World, type WorldOptions } from "../connection/world.ts";
import { Browser, type Tab } from "./tab_browser.ts";
import { Wire } from "./wire.ts";

/** A tab with a client, and what its one watch was told. */
export type Page = {
  readonly tab: Tab;
  readonly wire: Wire;
  readonly client: Client;
  readonly urls: URL[];
  /** What was sent over connections of its own. */
  readonly sent: { readonly type: string; readonly data: Readonly<Record<string, unknown>> }[];
  readonly words: string[];
  readonly errors: string[];
  readonly lives: boolean[];
};

/** How a page is opened: whose connection it may share, and what it watches. */
export type PageOptions = ClientOptions & { readonly owner?: string; readonly topics?: readonly string[] };

/** A gateway, a browser, and time that the test moves. */
export class Bench {
  readonly world: World;
  readonly browser: Browser;

  private constructor(world: World) {
    this.world = world;
    this.browser = new Browser(world.clock);
  }

  static async start(options: WorldOptions = {}): Promise<Bench> {
    return new Bench(await World.booted(options));
  }

  /** A page that watches all changes of status, unless other topics are given. */
  open({ owner, topics = ["task:status"], ...options }: PageOptions = {}): Page {
    const tab = this.browser.open();
    const wire = new Wire(this.world);
    const urls: URL[] = [];
    const sent: Page["sent"] = [];
    const socket = tab.sockets(wire.socket);
    const client = connect("ws://gateway/ws", {
      clock: tab.clock,
      random: () => 0.5,
      open: (url, listener) => {
        urls.push(new URL(url));
        const opened = socket(url, listener);
        return {
          close: () => opened.close(),
          send(text) {
            sent.push(JSON.parse(text));
            opened.send(text);
          },
        };
      },
      tabs: shareTabs(owner, tab),
      ...options,
    });
    const [words, errors, lives]: [string[], string[], boolean[]] = [[], [], []];
    client.subscribe(topics, (frame) => {
      if (frame.type === "task_status") words.push(`${frame.data.task_id} ${frame.data.status}`);
      if (frame.type === "gap") words.push("gap");
    }, { onLive: (isLive) => lives.push(isLive), onError: ({ code }) => errors.push(code) });
    return { tab, wire, client, urls, sent, words, errors, lives };
  }

  /** Lets `ms` pass, and all that comes of it. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left--) {
      this.world.clock.advance(1);
      await settled();
    }
  }

  /** An event happens and is told. */
  async event(task: string, kind: string, body: object = {}): Promise<void> {
    this.world.put(task, kind, body);
    await this.world.follow();
    await this.pass(60);
  }

  /** All clients are closed, and nothing is left of them. */
  async end(...pages: readonly Page[]): Promise<void> {
    for (const { client } of pages) client.close();
    await this.pass(10);
    assertEquals([this.world.clock.pending, this.browser.locks.length, this.browser.channels.size], [
      0,
      0,
      0,
    ]);
  }
}

/** Whose connection each uses. */
export function roles(...pages: readonly Page[]): readonly string[] {
  return pages.map(({ client }) => client.tab);
}

/** How many connections they have. */
export function connections(...pages: readonly Page[]): number {
  return pages.reduce((sum, { wire }) => sum + wire.open, 0);
}
