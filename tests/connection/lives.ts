import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { LogError } from "../../src/log/event_log.ts";
import type { ProjectionBounds } from "../../src/projection/projection.ts";
import { KINDS } from "../../src/task/worker_event.ts";
import type { Frame } from "../websocket_client.ts";
import { Truth } from "./truth.ts";
import { type Asked, type Circumstances, Witness } from "./witness.ts";
import { type Peer, settled, World } from "./world.ts";

const TASKS = ["t0", "t1", "t2", "t3"];
const TOPICS = [
  "task:progress",
  "task:status",
  "task:list",
  "task:id:t0",
  "task:id:t1:status",
  "task:id:t2:progress",
  "task:id:unborn",
  "task:tag:a",
  "task:tag:a:status",
  "task:tag:b:progress",
];
const CLIENTS = 3;

/** How long the microtasks run after a step: some steps are done in one breath. */
type Breath = 0 | 1 | 3 | "all";

/** One thing that happens. */
export type Step =
  & { readonly breath: Breath }
  & (
    | { readonly do: "event"; readonly task: string; readonly kind: string; readonly body: object }
    | { readonly do: "follow"; readonly max: number }
    | { readonly do: "pass"; readonly ms: number }
    | {
      readonly do: "connect";
      readonly client: number;
      readonly codec: "json" | "json-batch";
      readonly deltas?: boolean;
      readonly ask: Ask;
    }
    | { readonly do: "subscribe"; readonly client: number; readonly ask: Ask }
    | { readonly do: "unsubscribe"; readonly client: number; readonly topics: readonly string[] }
    | { readonly do: "slow" | "congest" | "drain" | "ping" | "leave"; readonly client: number }
    | { readonly do: "hold" | "release" | "restart" }
    | { readonly do: "answer"; readonly which: number; readonly fails: boolean }
    | { readonly do: "retain"; readonly keep: number }
  );

/**
 * What to subscribe to; `back` is how far before the head a `since` lies, `own` resumes from the client's cursor; `hz` is
 * the rate of progress that is asked for, 0 where none is.
 */
type Ask = {
  readonly topics: readonly string[];
  readonly start: "none" | "latest" | "all" | "since" | "own";
  readonly back: number;
  readonly hz: number;
};

const client = fc.nat(CLIENTS - 1);
/** Often the same ones, so that connections share audiences and pages. */
const topics = fc.oneof(
  fc.constantFrom<string[]>(["task:progress", "task:status"], ["task:status"], ["task:tag:a"], ["task:list"]),
  fc.subarray(TOPICS, { minLength: 1, maxLength: 4 }),
);
const ask: fc.Arbitrary<Ask> = fc.record({
  topics,
  start: fc.constantFrom("none", "latest", "all", "since", "own"),
  back: fc.nat(12),
  hz: fc.constantFrom(0, 0, 0, 0, 2, 5, 50),
});
const attempt = fc.constantFrom(1, 1, 1, 2, 3);
const body = fc.record({
  attempt,
  completed: fc.nat(9),
  total: fc.constantFrom(10, null),
  progress: fc.record({ completed: fc.nat(9) }),
  reason: fc.constantFrom("r", "s"),
  through: fc.nat(40),
}, { requiredKeys: ["attempt", "completed"] });
/** What moves a task from one status to another. */
const MOVES = KINDS.filter((kind) => kind !== "created" && kind !== "progress");
/** What the schema of no kind takes: it stays in the log, and nobody is told. */
const rubbish = fc.constant({ attempt: 0, tags: "a" });
const created = fc.record({ tags: fc.subarray(["a", "b"]), name: fc.constantFrom("n", "m") }, {
  requiredKeys: [],
});
const event = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.constant("progress"), body) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom("created", "started", "completed", "progress"), rubbish) },
  {
    weight: 5,
    arbitrary: fc.tuple(
      fc.constantFrom(...MOVES, "unknown"),
      body,
    ),
  },
  { weight: 2, arbitrary: fc.tuple(fc.constant("created"), created) },
).map(([kind, said]) => ({ kind, body: said }));

const anything: fc.Arbitrary<object> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.tuple(fc.constantFrom(...TASKS), event).map(([task, one]) => ({
      do: "event",
      task,
      ...one,
    })),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("follow"), max: fc.constantFrom(1, 2, 5, 100) }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant("pass"), ms: fc.constantFrom(1, 1, 10, 25, 300, 700) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("connect"),
      client,
      codec: fc.constantFrom("json", "json", "json-batch"),
      deltas: fc.boolean(),
      ask,
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("subscribe"), client, ask }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("unsubscribe"), client, topics }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constantFrom("slow", "congest", "drain", "drain", "ping"), client }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("leave"), client }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("hold", "hold", "release") }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("answer"),
      which: fc.nat(5),
      fails: fc.constantFrom(false, false, false, true),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("retain"), keep: fc.nat(8) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restart") }) },
);

const step = fc.tuple(anything, fc.constantFrom<Breath>(0, 1, 3, "all", "all")).map(([what, breath]) =>
  // The records above are the members of the union; fast-check's types lose which.
  ({ ...what, breath }) as Step
);
/** What may happen to a gateway and its clients, in any order. */
export const steps: fc.Arbitrary<readonly Step[]> = fc.array(step, {
  minLength: 10,
  maxLength: 90,
  size: "max",
});

/** A client as its own SDK would be: it knows what it asked for and what came. */
class Client {
  readonly witness: Witness;
  readonly peer: Peer;
  held: readonly string[] = [];
  cursor: number | undefined;
  readonly #world: World;
  readonly #pending = new Set<string>();
  readonly #asked = new Map<string, Asked>();

  constructor(
    world: World,
    truth: Truth,
    about: Circumstances,
    { codec, deltas = false }: Pick<Extract<Step, { do: "connect" }>, "codec" | "deltas">,
  ) {
    this.#world = world;
    this.witness = new Witness(truth, { ...about, inSeedTypes: codec === "json" && !deltas });
    this.peer = world.connect({ codec, deltas });
    const { socket } = this.peer;
    for (const { frame } of socket.written) this.#sees(frame);
    socket.onWritten = ({ frame, batched }) => {
      assert(!batched || codec === "json-batch", "batches only where they were asked for");
      this.#sees(frame);
    };
  }

  subscribe(asked: Asked): void {
    const { topics, since, replay, hz } = asked;
    const id = `r${this.#asked.size + 1}-${this.#asked.size}`;
    this.#asked.set(id, asked);
    this.witness.asks(id, asked);
    const { epoch } = this.#world.log;
    const data = {
      topics,
      ...(since === undefined ? {} : { since: { epoch, seq: since } }),
      ...(replay === undefined ? {} : { replay }),
      ...(hz === undefined ? {} : { max_rate_hz: hz }),
    };
    this.peer.connection.receive(JSON.stringify({ type: "subscribe", id, data }));
  }

  #sees(frame: Frame): void {
    this.witness.sees(
      frame,
      this.#world.router.head,
      this.#world.log.entries[0]?.seq ?? this.#world.log.lastSeq + 1,
    );
    switch (frame.type) {
      case "subscribed": {
        const asked = this.#asked.get(frame.id);
        const replays = asked?.since !== undefined || asked?.replay !== "none";
        for (const topic of frame.data.topics) {
          if (replays && !this.held.includes(topic)) this.#pending.add(topic);
        }
        this.held = frame.data.topics;
        return;
      }
      case "unsubscribed":
        this.held = frame.data.topics;
        for (const topic of this.#pending) if (!this.held.includes(topic)) this.#pending.delete(topic);
        return;
      case "gap":
        for (const topic of frame.data.topics) this.#pending.add(topic);
        this.cursor = undefined;
        return;
      case "caught_up":
        for (const topic of frame.data.topics) this.#pending.delete(topic);
        return this.#moved(frame.data.seq);
      case "pong":
        return this.#moved(frame.data.seq);
      case "task_progress":
      case "task_status":
      case "task_list":
        return this.#moved(frame.seq);
      default:
        return;
    }
  }

  #moved(seq: number | undefined): void {
    if (this.#pending.size === 0 && seq !== undefined) this.cursor = seq;
  }
}

/** Lives one life of the whole and judges it. */
export async function live(
  { steps, bounds, about, retains }: {
    readonly steps: readonly Step[];
    readonly bounds: ProjectionBounds;
    readonly about: Circumstances;
    readonly retains: boolean;
  },
): Promise<void> {
  const world = await World.booted({ bounds });
  const truth = new Truth();
  const clients: (Client | undefined)[] = [];
  const gone: Client[] = [];
  /** Who was there when the gateway died. */
  const last: (Client | undefined)[] = [];
  const held: { resolve: () => void; reject: (error: Error) => void }[] = [];
  let holds = false;
  world.log.gate = () => {
    if (!holds) return Promise.resolve();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    held.push({ resolve, reject });
    return promise;
  };
  const release = (): void => {
    holds = false;
    for (const { resolve } of held.splice(0)) resolve();
  };
  const leave = (index: number): Client | undefined => {
    const client = clients[index];
    if (client === undefined) return undefined;
    if (client.cursor !== undefined) client.witness.wouldResumeFrom(client.cursor);
    client.peer.vanish();
    gone.push(client);
    clients[index] = undefined;
    return client;
  };
  const asked = ({ topics, start, back, hz }: Ask, cursor: number | undefined): Asked => {
    const what = { topics, ...(hz === 0 ? {} : { hz }) };
    if (start === "own") return cursor === undefined ? what : { ...what, since: cursor };
    if (start === "since") return { ...what, since: Math.max(0, world.router.head - back) };
    return { ...what, replay: start };
  };
  const perform = (one: Step): void => {
    switch (one.do) {
      case "event": {
        world.put(one.task, one.kind, one.body);
        const entry = world.log.entries.at(-1);
        assert(entry !== undefined);
        return truth.add(entry);
      }
      case "follow":
        return void world.follow(one.max);
      case "pass":
        return world.clock.advance(one.ms);
      case "restart":
        if (!about.restarts || world.isRestarting) return;
        for (let i = 0; i < CLIENTS; i++) last[i] = leave(i) ?? last[i];
        return void world.restart();
      case "connect": {
        if (world.isRestarting) return;
        const cutOff = last[one.client];
        const before = leave(one.client) ?? cutOff;
        last[one.client] = undefined;
        const client = new Client(world, truth, about, one);
        clients[one.client] = client;
        // Who was cut off comes back for what it had; others may.
        const start = cutOff !== undefined && before === cutOff ? "own" : one.ask.start;
        const resumes = start === "own" && before !== undefined && before.held.length > 0;
        const topics = resumes ? before.held : one.ask.topics;
        if (resumes && before.cursor !== undefined && topics.includes("task:list")) {
          client.witness.comesFrom(before.witness);
        }
        return client.subscribe(asked({ ...one.ask, topics, start }, before?.cursor));
      }
      case "subscribe": {
        const client = clients[one.client];
        return client?.subscribe(asked(one.ask, client.cursor));
      }
      case "unsubscribe":
        clients[one.client]?.peer.send("unsubscribe", { topics: one.topics });
        return;
      case "slow": {
        const socket = clients[one.client]?.peer.socket;
        if (socket !== undefined) socket.slow = !socket.slow;
        return;
      }
      case "congest":
        return clients[one.client]?.peer.socket.congest();
      case "drain":
        return clients[one.client]?.peer.socket.drain();
      case "ping":
        clients[one.client]?.peer.send("ping");
        return;
      case "leave":
        leave(one.client);
        return;
      case "hold":
        holds = true;
        return;
      case "release":
        return release();
      case "answer": {
        const [gate] = held.splice(one.which % Math.max(1, held.length), 1);
        if (one.fails) gate?.reject(new LogError("unreachable", "The log is away"));
        else gate?.resolve();
        return;
      }
      case "retain":
        if (retains) world.log.dropBefore(world.projection.head - one.keep);
        return;
    }
  };
  for (const one of steps) {
    perform(one);
    if (one.breath === "all") await settled();
    else for (let i = 0; i < one.breath; i++) await Promise.resolve();
  }
  for (let rounds = 0; rounds < 12; rounds++) {
    release();
    for (const client of clients) {
      if (client === undefined) continue;
      client.peer.socket.slow = false;
      client.peer.socket.drain();
    }
    void world.follow();
    await settled();
    world.clock.advance(600);
    await settled();
  }
  assertEquals(world.faults, [], "nothing failed");
  assertEquals(world.router.head, world.log.lastSeq, "everything was followed");
  for (const client of gone) client.witness.judge(false);
  for (const client of clients) {
    if (client === undefined) continue;
    const id = client.peer.send("ping");
    const pong = client.peer.socket.frames.find((frame) => frame.id === id);
    assert(pong?.type === "pong");
    assertEquals(pong.data.seq, world.router.head, "a quiet client's cursor is the head");
    assertEquals(client.peer.connection.stateName, client.held.length === 0 ? "quiet" : "live");
    client.witness.judge(true, (id) => world.projection.tasks.get(id) !== undefined);
    client.peer.vanish();
  }
  assertEquals(world.router.audiences, 0);
  assertEquals(world.clock.pending, 0, "no timer is left");
}
