import { assert, assertEquals } from "@std/assert";
import { type ClientOptions, WebSocket } from "ws";
import { eventually } from "../eventually.ts";
import { SeedClient } from "../seed_client.ts";
import type { FrameType } from "../websocket_client.ts";
import { withEverythingOn } from "./everything_on.ts";
import { FACTS } from "./seed_facts.ts";

/** Tasks whose progress a client of all tasks hears of, though they are told of in ways that the seed knows nothing of. */
const OTHERS = ["all", "over_http", "over_nats", "part1", "sealed"];

/** What is pushed to newer clients. */
const PUSHED = ["task_status", "data_update", "strategy_update", "channel_update"] as const;

/** How each of them is sent that, and what comes to it alone. */
const WAYS: readonly { readonly how: string; readonly types: readonly FrameType[] }[] = [
  { how: "binary batches compressed", types: ["task_progress"] },
  { how: "binary batches", types: ["progress_delta"] },
  { how: "batches compressed", types: ["progress_delta"] },
  { how: "batches", types: ["task_progress"] },
];

/** The WebSockets that the runtime has: what a seed client is given there, whether it offers compression is not its doing. */
function runtimeWith(options: ClientOptions): Disposable & {
  readonly extensions: ReadonlySet<string>;
  readonly believe: (ca: string) => void;
} {
  const believed: string[] = [];
  const before = globalThis.WebSocket;
  const extensions = new Set<string>();
  const Runtimes = class extends WebSocket {
    constructor(url: string) {
      super(url, [], { ...options, ca: believed });
      this.on("open", () => extensions.add(this.extensions));
    }
  };
  // It is one as far as it is used.
  globalThis.WebSocket = Runtimes as unknown as typeof globalThis.WebSocket;
  return {
    extensions,
    believe: (ca) => void believed.push(ca),
    [Symbol.dispose]: () => {
      globalThis.WebSocket = before;
    },
  };
}

for (const compress of [false, true]) {
  const how = compress ? "compressed" : "not compressed";
  Deno.test(`a client written from the seed document alone is served as ever, ${how}, beside all that is new: TLS, plug-ins, channels, CBOR, deltas, sealed tasks and CloudEvents`, async (t) => {
    using runtime = runtimeWith({ perMessageDeflate: compress });
    await withEverythingOn(async ({ gateway, ca, publish, company }) => {
      runtime.believe(ca);
      const all = "task:progress,task:status,task:list,data:candles,strategy:s1,task:id:part1:log";
      await using everyone = await SeedClient.connect(`${gateway.wsUrl}/ws?topics=${all}`);
      const beside = async (what: () => Promise<void>) => {
        const turns = async () => {
          for (let i = 0; i < 3; i++) await company.turn();
        };
        await Promise.all([what(), turns()]);
      };
      for (const [fact, holds] of Object.entries(FACTS)) {
        const isWell = await t.step(fact, () => beside(() => holds({ gateway, publish, isBusy: true })));
        assert(isWell, fact);
      }
      await t.step(
        "who watches everything hears of every task, and passes over what it does not know",
        async () => {
          const seen = new Set<string>();
          while (!OTHERS.every((id) => seen.has(id))) seen.add((await everyone.progress()).task_id);
          await everyone.ping();
        },
      );
      await t.step("the others were served all of it too", async () => {
        await eventually("all of it came, in all ways", async () => {
          await company.turn();
          return company.told.every(({ types, how }, i) =>
            [...PUSHED, ...WAYS[i]?.types ?? []].every((type) => types.has(type)) && how === WAYS[i]?.how
          );
        });
      });
      // `ws` tells of an agreement by its name.
      assertEquals([...runtime.extensions], [compress ? "permessage-deflate" : ""]);
    });
  });
}
