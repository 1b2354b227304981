import { isDeepStrictEqual as equal } from "node:util";
import { assert, assertEquals } from "@std/assert";
import { startNatsServer } from "../nats_server.ts";
import { SseClient } from "../sse_client.ts";
import type { Frame } from "../websocket_client.ts";
import { eventually } from "../eventually.ts";
import { type GatewayProcess, withGateway } from "./gateway_process.ts";
import { Load, overHttp, OverNats, type Store } from "./load.ts";
import { onLog } from "./worlds.ts";

const READERS = 10;
/** Events between two blows, and after the last. */
const EVENTS = 300;

/** Reads a stream as a browser's EventSource does: it knows nothing but the id of the last event, and comes back with that. */
class Reader implements AsyncDisposable {
  readonly frames: Frame[] = [];
  #streams = 0;
  #stream: SseClient | undefined;
  #leaving = false;
  readonly #url: string;
  readonly #reading: Promise<void>;

  constructor(gateway: GatewayProcess) {
    this.#url = `${gateway.url}/api/stream?topics=task:progress,task:status`;
    this.#reading = this.#read();
  }

  /** How often it was answered with a stream. */
  get streams(): number {
    return this.#streams;
  }

  get caughtUp(): boolean {
    return this.#stream?.frames.some(({ type }) => type === "caught_up") === true;
  }

  /** All that it was told, those of the present stream too. */
  get told(): readonly Frame[] {
    return [...this.frames, ...(this.#stream?.frames ?? [])];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#leaving = true;
    await this.#stream?.[Symbol.asyncDispose]();
    await this.#reading;
  }

  async #read(): Promise<void> {
    let lastEventId: string | undefined;
    while (!this.#leaving) {
      const headers = lastEventId === undefined ? {} : { "last-event-id": lastEventId };
      const stream = await SseClient.connect(this.#url, headers).catch(() => undefined);
      if (stream !== undefined) {
        this.#streams++;
        this.#stream = stream;
        await stream.until("the end of the stream", () => stream.isOver || this.#leaving, 120_000);
        await stream[Symbol.asyncDispose]();
        this.frames.push(...stream.frames);
        this.#stream = undefined;
        lastEventId = stream.lastEventId ?? lastEventId;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

function statusesOf(frames: readonly Frame[]): unknown[] {
  return frames.flatMap((frame) =>
    frame.type === "task_status"
      ? [{ seq: frame.seq, taskId: frame.data.task_id, status: frame.data.status }]
      : []
  );
}

function progressOf(frames: readonly Frame[]): Map<string, unknown> {
  return new Map(frames.flatMap((frame) => {
    if (frame.type !== "task_progress") return [];
    const { task_id: taskId, progress: { total, completed } } = frame.data;
    return [[taskId, { total, completed }] as const];
  }));
}

function sorted(byTask: ReadonlyMap<string, unknown>): readonly (readonly [string, unknown])[] {
  return [...byTask].sort(([one], [other]) => one < other ? -1 : 1);
}

async function hasMore(load: Load): Promise<void> {
  const until = load.count + EVENTS;
  await eventually("more events are in the log", () => load.count >= until, 30_000);
}

/** Kills the gateway twice under load; the second time there is news while it is away, where the log takes any. */
async function killGateway(gateway: GatewayProcess, store: Store, isLogApart: boolean): Promise<void> {
  await using readers = new AsyncDisposableStack();
  const all = Array.from({ length: READERS }, () => readers.use(new Reader(gateway)));
  await eventually("all have caught up", () => all.every((reader) => reader.caughtUp));
  await using load = new Load(store);
  await hasMore(load);
  await gateway.kill();
  await gateway.start();
  await hasMore(load);
  await gateway.kill();
  if (isLogApart) await hasMore(load);
  await gateway.start();
  await hasMore(load);
  await load.stop();
  const [statuses, progress] = [load.statuses(), sorted(load.progress())];
  for (const reader of all) {
    await eventually(
      "a reader has been told everything",
      () =>
        statusesOf(reader.told).length >= statuses.length && equal(sorted(progressOf(reader.told)), progress),
    ).catch(() => {}); // the comparison says what is missing
    assertEquals(statusesOf(reader.told), statuses);
    assertEquals(sorted(progressOf(reader.told)), progress);
    assertEquals(reader.told.filter(({ type }) => type === "gap"), []);
    assertEquals(reader.streams, 3);
  }
}

Deno.test("kill -9 of a gateway costs no stream a status change, and none is told twice: embedded log", async () => {
  await withGateway({}, (gateway) => killGateway(gateway, overHttp(gateway), false));
});

Deno.test("kill -9 of a gateway costs no stream a status change, and none is told twice: NATS", async () => {
  await using server = await startNatsServer();
  await using direct = new OverNats(server.url);
  const settings = { NATS_URL: server.url };
  await withGateway({ settings }, (gateway) => killGateway(gateway, direct.store, true));
});

for (const log of ["the embedded log", "NATS over nats://"] as const) {
  Deno.test(`a stream that is not read falls behind, and misses no status when it is read again: ${log}`, async () => {
    await onLog(log, async ({ gateway, publish }) => {
      await using stream = await SseClient.connect(
        `${gateway.url}/api/stream?topics=task:progress,task:status`,
      );
      await stream.caughtUp();
      stream.pause();
      const current = "x".repeat(4_000);
      const behind = () => gateway.metric('taskwire_connections{state="behind"}');
      let rounds = 0;
      for (; await behind() === 0; rounds++) {
        assert(rounds < 100, "it falls behind");
        for (let job = 0; job < 50; job++) {
          await publish(`job${job}`, rounds % 2 === 0 ? "paused" : "resumed", {});
          for (let n = 0; n < 4; n++) await publish(`job${job}`, "progress", { completed: rounds, current });
        }
      }
      await publish("end", "started", {});
      stream.resume();
      await stream.until("the end", () => stream.of("task_status").at(-1)?.data.task_id === "end", 30_000);
      const statuses = Array.from({ length: rounds }, (_, round) => round % 2 === 0 ? "paused" : "running");
      for (let job = 0; job < 50; job++) {
        const told = stream.of("task_status").filter(({ data }) => data.task_id === `job${job}`);
        assertEquals(told.map(({ data }) => data.status), statuses);
      }
      await eventually("it is live again", async () => await behind() === 0);
    });
  });
}

Deno.test("curl reads a stream", async () => {
  await withGateway({}, async (gateway) => {
    await gateway.post("job1", { kind: "progress", total: 10, completed: 3 });
    const curl = new Deno.Command("curl", {
      args: ["--silent", "--show-error", "-N", `${gateway.url}/api/stream?topics=task:status`],
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    let text = "";
    const reading = (async () => {
      for await (const part of curl.stdout.pipeThrough(new TextDecoderStream())) text += part;
    })();
    await eventually("curl shows the present state", () => text.includes("event: caught_up\nid: "));
    await gateway.post("job1", { kind: "completed" });
    await eventually("curl shows the end", () => text.includes('"status":"completed"'));
    await gateway.leave(); // which closes the stream: curl ends by itself
    assertEquals((await curl.status).code, 0);
    await reading;
    assertEquals(text.split("\n\n").at(-2)?.split("\n"), [
      "event: close",
      'data: {"code":1012,"reason":"service restart"}',
    ]);
  });
});
