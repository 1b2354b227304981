import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Access } from "../../src/access/access.ts";
import { Scope } from "../../src/access/scope.ts";
import { boundsOf } from "../projection/bounds.ts";
import { type Peer, settled, World } from "./world.ts";

const ANN: Access = { subject: "ann", rights: new Set(["subscribe"]), scope: Scope.of(["task:tag:a"]) };
const TASKS = ["t0", "t1", "t2"];

type Step =
  | { readonly do: "tag"; readonly task: string; readonly tags: readonly string[] }
  | { readonly do: "say"; readonly task: string; readonly kind: string }
  | { readonly do: "follow"; readonly max: number }
  | { readonly do: "pass" | "congest" | "drain" | "slow" | "reconnect" };

const task = fc.constantFrom(...TASKS);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant("tag"), task, tags: fc.subarray(["a", "b"]) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("say"),
      task,
      kind: fc.constantFrom("progress", "paused", "resumed"),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("follow"), max: fc.constantFrom(1, 2, 100) }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constantFrom("pass", "pass", "congest", "drain", "slow", "reconnect") }),
  },
);

/** A client that follows the list, and each task by its id, and comes back where it was. */
class Watcher {
  readonly #world: World;
  readonly list = new Set<string>();
  /** What it was shown that it may not see. */
  readonly leaks: string[] = [];
  peer: Peer;
  #seen = 0;
  #cursor: number;

  constructor(world: World) {
    this.#world = world;
    this.#cursor = world.router.head;
    this.peer = this.#connected();
  }

  reconnect(): void {
    this.read();
    this.peer.vanish();
    this.peer = this.#connected();
  }

  #connected(): Peer {
    this.#seen = 0;
    const since = { epoch: this.#world.log.epoch, seq: this.#cursor };
    const topics = ["task:list", ...TASKS.map((id) => `task:id:${id}`)];
    return this.#world.connect({ access: ANN, query: { topics, since } });
  }

  /** Takes in what came. */
  read(): void {
    const { frames } = this.peer.socket;
    for (const frame of frames.slice(this.#seen)) {
      if (frame.type === "task_list" && "removed" in frame.data) {
        for (const { task_id: id, tags } of frame.data.tasks) {
          this.list.add(id);
          if (!tags.includes("a")) this.leaks.push(`${frame.id} ${id}`);
        }
        for (const id of frame.data.removed) this.list.delete(id);
      }
      if (frame.type === "task_status" && !frame.data.tags.includes("a")) this.leaks.push(frame.id);
      if (frame.type === "caught_up") this.#cursor = Math.max(this.#cursor, frame.data.seq);
      else if ("seq" in frame && frame.seq !== undefined) this.#cursor = Math.max(this.#cursor, frame.seq);
    }
    this.#seen = frames.length;
  }
}

for (const [what, maxEvents] of [["from memory", 10_000], ["with pages from the log", 2]] as const) {
  Deno.test(`however tasks change hands, a list comes to what may be seen, and shows nothing else, ${what}`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40, size: "max" }), async (steps) => {
        const world = await World.booted({ bounds: boundsOf({ maxEvents }) });
        const watcher = new Watcher(world);
        for (const one of steps) {
          const { socket } = watcher.peer;
          if (one.do === "tag") world.put(one.task, "created", { tags: one.tags });
          else if (one.do === "say") world.put(one.task, one.kind, { completed: world.log.lastSeq });
          else if (one.do === "follow") await world.follow(one.max);
          else if (one.do === "pass") world.clock.advance(25);
          else if (one.do === "congest") socket.congest();
          else if (one.do === "drain") socket.drain();
          else if (one.do === "slow") socket.slow = !socket.slow;
          else watcher.reconnect();
          await settled();
        }
        for (let rounds = 0; rounds < 10; rounds++) {
          watcher.peer.socket.slow = false;
          watcher.peer.socket.drain();
          await world.follow();
          world.clock.advance(600);
          await settled();
        }
        watcher.read();
        watcher.peer.vanish();
        assertEquals([world.faults, watcher.leaks], [[], []]);
        const visible = TASKS.filter((id) => {
          const tags = world.projection.tasks.get(id)?.state.greatest.created?.body.tags ?? [];
          return tags.some((tag) => tag === "a");
        });
        assertEquals([...watcher.list].sort(), visible);
        assert(world.router.audiences <= 1);
      }),
      { numRuns: 200 },
    );
  });
}
