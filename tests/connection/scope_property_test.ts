import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { type Access, EVERYBODY } from "../../src/access/access.ts";
import { Scope } from "../../src/access/scope.ts";
import type { ProjectionBounds } from "../../src/projection/projection.ts";
import { boundsOf } from "../projection/bounds.ts";
import type { Frame } from "../websocket_client.ts";
import { type Peer, settled, World } from "./world.ts";

/** Each task has its tags from its first event on. */
const TAGS: Readonly<Record<string, readonly string[]>> = {
  t0: ["a"],
  t1: ["a", "b"],
  t2: ["b"],
  t3: [],
  t4: ["c"],
};
const SCOPE = ["task:tag:a", "task:id:t4"];
const isTheirs = (task: string): boolean => Scope.of(SCOPE).sees({ taskId: task, tags: TAGS[task] ?? [] });

const TENANT: Access = { subject: "tenant", rights: new Set(["subscribe"]), scope: Scope.of(SCOPE) };
const TOPICS = [
  "task:progress",
  "task:status",
  "task:list",
  "task:id:t0",
  "task:id:t2",
  "task:id:t3:status",
  "task:id:t4:progress",
  "task:tag:a",
  "task:tag:a:progress",
];
const CLIENTS = 2;
const ROOMY = boundsOf();

type Step =
  | { readonly do: "event"; readonly task: string; readonly kind: string; readonly body: object }
  | { readonly do: "follow"; readonly max: number }
  | { readonly do: "pass"; readonly ms: number }
  | { readonly do: "ask"; readonly client: number; readonly type: string; readonly data: object }
  | {
    readonly do: "subscribe";
    readonly client: number;
    readonly topics: readonly string[];
    readonly back: number;
  }
  | { readonly do: "congest" | "drain" | "slow"; readonly client: number }
  | { readonly do: "expire" };

const client = fc.nat(CLIENTS - 1);
const task = fc.constantFrom(...Object.keys(TAGS));
const topics = fc.subarray(TOPICS, { minLength: 1, maxLength: 3 });
const question: fc.Arbitrary<{ readonly type: string; readonly data: object }> = fc.oneof(
  task.map((id) => ({ type: "get_task", data: { task_id: id } })),
  task.map((id) => ({ type: "get_history", data: { task_id: id } })),
  fc.record({
    status: fc.constantFrom("running", "completed"),
    tag: fc.constantFrom("a", "b"),
    limit: fc.constantFrom(1, 2),
  }, {
    requiredKeys: [],
  }).map((data) => ({ type: "get_tasks", data })),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant("event"),
      task,
      kind: fc.constantFrom(
        "created",
        "progress",
        "progress",
        "started",
        "paused",
        "completed",
        "failed",
        "retrying",
      ),
      body: fc.record({ attempt: fc.constantFrom(1, 1, 2), completed: fc.nat(9), total: fc.constant(10) }),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("follow"), max: fc.constantFrom(1, 3, 100) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("pass"), ms: fc.constantFrom(1, 25, 300) }) },
  {
    weight: 4,
    arbitrary: fc.tuple(client, question).map(([client, asked]) => ({
      do: "ask" as const,
      client,
      ...asked,
    })),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("subscribe"),
      client,
      topics,
      back: fc.integer({ min: -2, max: 9 }),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constantFrom("congest", "drain", "slow"), client }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("expire") }) },
);

/** Everything that a client was told, as far as it is no matter of how much was read at once. */
type Account = {
  readonly answers: readonly string[];
  /** What it knows in the end: the list, and of each task the last status and the last counters. */
  readonly list: Readonly<Record<string, string>>;
  readonly status: Readonly<Record<string, string>>;
  readonly progress: Readonly<Record<string, string>>;
  /** The tasks that it was told of in whatever way. */
  readonly tasks: readonly string[];
};

function accountOf(frames: readonly Frame[]): Account {
  const answers: string[] = [];
  const [list, status, progress] = [
    new Map<string, string>(),
    new Map<string, string>(),
    new Map<string, string>(),
  ];
  const tasks = new Set<string>();
  for (const frame of frames) {
    if (/^r\d+$/.test(frame.id)) {
      answers.push(JSON.stringify(frame));
    } else if (frame.type === "task_status") {
      tasks.add(frame.data.task_id);
      status.set(frame.data.task_id, JSON.stringify(frame.data));
    } else if (frame.type === "task_progress") {
      tasks.add(frame.data.task_id);
      progress.set(frame.data.task_id, JSON.stringify(frame.data));
    } else if (frame.type === "task_list" && "removed" in frame.data) {
      for (const { task_id: id, status } of frame.data.tasks) {
        tasks.add(id);
        list.set(id, status);
      }
      for (const id of frame.data.removed) {
        list.delete(id);
        // Whether a client that was behind is told that a task has gone of which it had not heard is a matter of how far behind.
        if (!isTheirs(id)) tasks.add(id);
      }
    }
  }
  const [lists, statuses, counters] = [list, status, progress].map((map) => Object.fromEntries(map));
  return {
    answers,
    list: lists ?? {},
    status: statuses ?? {},
    progress: counters ?? {},
    tasks: [...tasks].sort(),
  };
}

/**
 * One world in which a tenant is beside others, or one in which the others' events are rubbish, which nobody is told of: so
 * that every position and every moment is the same in both.
 */
async function lived(
  steps: readonly Step[],
  { bounds, access, withOthers }: {
    readonly bounds: ProjectionBounds;
    readonly access: Access;
    readonly withOthers: boolean;
  },
): Promise<readonly Account[]> {
  const world = await World.booted({ bounds });
  const met = new Set<string>();
  const put = (task: string, kind: string, body: object): void => {
    if (withOthers || isTheirs(task)) world.put(task, kind, body);
    else world.put(task, "no_kind", {});
  };
  const peers: Peer[] = Array.from({ length: CLIENTS }, () => world.connect({ access }));
  for (const one of steps) {
    // What of a part that is gone is still in memory is a matter of how much there is of all.
    if (one.do === "expire" && bounds !== ROOMY) continue;
    const peer = "client" in one ? peers[one.client] : undefined;
    switch (one.do) {
      case "event":
        if (!met.has(one.task)) put(one.task, "created", { tags: TAGS[one.task] });
        met.add(one.task);
        put(one.task, one.kind, one.kind === "created" ? { tags: TAGS[one.task], ...one.body } : one.body);
        break;
      case "follow":
        await world.follow(one.max);
        break;
      case "pass":
        world.clock.advance(one.ms);
        break;
      case "ask":
        peer?.send(one.type, one.data);
        break;
      case "subscribe": {
        const { epoch } = world.log;
        const since = { epoch, seq: Math.max(0, world.router.head - one.back) };
        const start = one.back === -2 ? { replay: "all" } : one.back === -1 ? {} : { since };
        peer?.send("subscribe", { topics: one.topics, ...start });
        break;
      }
      case "congest":
        peer?.socket.congest();
        break;
      case "drain":
        peer?.socket.drain();
        break;
      case "slow":
        if (peer !== undefined) peer.socket.slow = !peer.socket.slow;
        break;
      case "expire":
        // All of it: a task of which a part is left has no tags any more.
        await world.follow();
        world.expire(world.log.lastSeq + 1);
        met.clear();
        break;
    }
    await settled();
  }
  for (let rounds = 0; rounds < 10; rounds++) {
    for (const { socket } of peers) {
      socket.slow = false;
      socket.drain();
    }
    await world.follow();
    world.clock.advance(600);
    await settled();
  }
  assertEquals(world.faults, []);
  for (const { connection } of peers) connection.socketClosed();
  return peers.map(({ socket }) => accountOf(socket.frames));
}

const RUNS = Number(Deno.env.get("RUNS") ?? 1);

for (
  const [what, bounds] of [
    ["from memory", ROOMY],
    ["with pages from the log", boundsOf({ maxEvents: 2 })],
  ] as const
) {
  Deno.test(`a tenant is told the same whether others are there or not, ${what}`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60, size: "max" }), async (steps) => {
        const [beside, alone] = await Promise.all([
          lived(steps, { bounds, access: TENANT, withOthers: true }),
          lived(steps, { bounds, access: EVERYBODY, withOthers: false }),
        ]);
        assertEquals(beside, alone);
      }),
      { numRuns: 300 * RUNS },
    );
  });
}
