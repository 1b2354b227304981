import { assert, assertEquals } from "@std/assert";
import { openSqliteLog } from "../../src/log/sqlite_log.ts";
import { eventually } from "../eventually.ts";
import { SseClient } from "../sse_client.ts";
import { frame, RawPeer } from "../transport/raw_peer.ts";
import { TestClient } from "../websocket_client.ts";
import { AttackedGateway } from "./attacked_gateway.ts";
import { joined, utf8 } from "./raw_bytes.ts";

const TASKS = 100;
const EVENTS = 5_000;
/** So many connections read pages of the log at once. */
const REPLAYS = 2;

/** Far more than a gateway keeps in memory, so that who asks for the past has it read from the log. */
async function fill(dataDir: string): Promise<void> {
  const options = {
    dataDir,
    retainAgeMs: 604_800_000,
    retainPerSubject: 1_000,
    dedupWindowMs: 120_000,
  } as const;
  await using log = await openSqliteLog({ ...options, survives: "process" });
  const started = Array.from(
    { length: TASKS },
    (_, i) => ({ subject: `task.t${i}.started`, body: utf8("{}") }),
  );
  await log.append(started);
  for (let at = TASKS; at < EVENTS; at += TASKS) {
    await log.append(Array.from({ length: TASKS }, (_, i) => ({
      subject: `task.t${i}.${at % (2 * TASKS) === 0 ? "paused" : "resumed"}`,
      body: utf8("{}"),
    })));
  }
}

const target = AttackedGateway.forAllTests({
  fill,
  settings: { MAX_REPLAYS: String(REPLAYS), TAIL_EVENTS: "0" },
  async warmUp() {
    for (let i = 0; i < 2; i++) {
      await Promise.all(Array.from({ length: CROWD }, readsAll));
      await asksAndDrops();
    }
  },
});

const CROWD = 20;
const ALL = "topics=task:status&replay=all";

/** Has the whole past told, and holds that it comes whole and in order. */
async function readsAll(): Promise<void> {
  await using client = await TestClient.connect(`${target.process.wsUrl}/ws?${ALL}&batch=1`);
  await client.find(({ type }) => type === "caught_up", "caught_up");
  isWhole(client.of("task_status"));
}

/** A status of every event, each once, in the order of the stream. */
function isWhole(told: readonly { readonly seq?: number }[]): void {
  assertEquals(told.length, EVENTS);
  assert(told.every(({ seq = 0 }, i) => i === 0 || seq > (told[i - 1]?.seq ?? Infinity)));
}

/** Holds that those who read the log are never more than they may be while `work` goes on. */
async function watched(work: Promise<unknown>): Promise<void> {
  let isOver = false;
  const over = work.finally(() => isOver = true);
  while (!isOver) {
    const running = await target.metric("taskwire_replays");
    assert(running <= REPLAYS, `${running} read at once`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await over;
}

Deno.test(`${CROWD} connections that ask for the whole past at once are read to a few at a time, and each has all of it`, async () => {
  await target.withstands(async () => {
    await watched(Promise.all(Array.from({ length: CROWD }, readsAll)));
  });
});

Deno.test(`${CROWD} streams that ask for the whole past at once each have all of it`, async () => {
  await target.withstands(async () => {
    await watched(Promise.all(Array.from({ length: CROWD }, async () => {
      await using stream = await SseClient.connect(`${target.process.url}/api/stream?${ALL}`);
      await eventually("it is told", () => stream.frames.some(({ type }) => type === "caught_up"));
      isWhole(stream.frames.flatMap((frame) => frame.type === "task_status" ? [frame] : []));
    })));
  });
});

Deno.test("200 connections that ask for the whole past and read none of it cost little, and no replay of others", async () => {
  await target.withstands(async () => {
    const peers: RawPeer[] = [];
    try {
      for (let i = 0; i < 200; i++) peers.push(await RawPeer.connect(target.port, `/ws?${ALL}`));
      await readsAll();
    } finally {
      for (const peer of peers) peer[Symbol.dispose]();
    }
  });
});

/** Asks for the whole past four hundred times at once on one connection, and drops it each time. */
async function asksAndDrops(): Promise<void> {
  using peer = await RawPeer.connect(target.port);
  const asked = Array.from({ length: 400 }, (_, i) => {
    const topics = i % 4 < 2 ? ["task:status"] : Array.from({ length: 250 }, (_, n) => `task:id:t${n}`);
    const data = { topics, replay: "all" };
    return frame(JSON.stringify({ type: i % 2 === 0 ? "subscribe" : "unsubscribe", id: `q${i}`, data }));
  });
  const answers: string[] = [];
  const closed = (async () => {
    for (let got = await peer.next(); got !== undefined; got = await peer.next()) {
      const message = new TextDecoder().decode(got.payload);
      if (/"id":"q\d+"/.test(message)) answers.push(message);
    }
  })();
  await peer.send(joined(asked));
  await readsAll();
  await eventually("all were answered", () => answers.length === asked.length, 30_000);
  // The longer a gateway that is starved takes for all of them, the more of them it owes an answer.
  assert(answers.some((answer) => answer.includes("RATE_LIMITED")), "none was refused");
  peer.connection.closeWrite();
  await closed;
}

Deno.test("one connection that asks for the whole past as often as it may, and drops it each time, holds nobody up", async () => {
  await target.withstands(asksAndDrops);
});

Deno.test("cursors before, at and far behind the end, and of another stream, cost nobody else anything", async () => {
  await target.withstands(async () => {
    await using client = await TestClient.connect(`${target.process.wsUrl}/ws`);
    const { epoch } = (await client.next("welcome")).data;
    const cursors = [0, 1, EVENTS - 1, EVENTS, EVENTS + 1, Number.MAX_SAFE_INTEGER].map((seq) => ({
      epoch,
      seq,
    }));
    for (const since of [...cursors, { epoch: "another", seq: 1 }, { epoch: "", seq: 0 }]) {
      const topics = ["task:status"];
      const reply = await client.request("subscribe", { topics, since });
      assert(reply.type === "subscribed" || reply.type === "error", reply.type);
      if (reply.type === "subscribed") await client.next("caught_up");
      await client.request("unsubscribe", { topics });
    }
  });
});

Deno.test("the longest pages of histories, asked for by many at once, are RATE_LIMITED beyond what each may ask", async () => {
  await target.withstands(async () => {
    const counts = await Promise.all(Array.from({ length: 20 }, async () => {
      await using client = await TestClient.connect(`${target.process.wsUrl}/ws`);
      await client.next("welcome");
      for (let i = 0; i < 20; i++) {
        client.send({ type: "get_history", id: `q${i}`, data: { task_id: `t${i}`, limit: 1_000 } });
      }
      await client.until((frames) => frames.length === 21, "an answer to each");
      return client.of("task_history").length;
    }));
    assert(counts.every((count) => count >= 2 && count <= 4), counts.join());
    return {
      'taskwire_errors_total{code="RATE_LIMITED"}': 400 - counts.reduce((sum, count) => sum + count, 0),
    };
  });
});
