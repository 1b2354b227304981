import { assert, assertEquals } from "@std/assert";
import { openSqliteLog } from "../../src/log/sqlite_log.ts";
import { frame, OPCODES, RawPeer } from "../transport/raw_peer.ts";
import { TestClient } from "../websocket_client.ts";
import { AttackedGateway, type Counts } from "./attacked_gateway.ts";
import { joined, repeated, utf8 } from "./raw_bytes.ts";

const TASKS = 10_000;
/** The task that has as many events as there may be on a page. */
const LONG = "t7";

/** 10,000 tasks of one event each, and one of a thousand. */
async function fill(dataDir: string): Promise<void> {
  const week = 604_800_000;
  const options = { dataDir, retainAgeMs: week, retainPerSubject: 1_000, dedupWindowMs: 120_000 } as const;
  await using log = await openSqliteLog({ ...options, survives: "process" });
  const progress = (id: string, completed: number) => ({
    subject: `task.${id}.progress`,
    body: utf8(JSON.stringify({ total: 1_000, completed, current: "one of many" })),
  });
  for (let start = 0; start < TASKS; start += 1_000) {
    await log.append(Array.from({ length: 1_000 }, (_, i) => progress(`t${start + i}`, i)));
  }
  await log.append(Array.from({ length: 1_000 }, (_, i) => progress(LONG, i)));
}

const target = AttackedGateway.forAllTests({
  fill,
  async warmUp({ process }) {
    await flood(repeated(PING, 1_000));
    await flood(repeated(BROKEN, 1_000));
    for (const data of Object.values(QUESTIONS)) {
      await using client = await TestClient.connect(`${process.wsUrl}/ws`);
      for (let i = 0; i < 8; i++) await client.request(data(i).type, data(i).data);
    }
  },
});

const CLOSED = 'taskwire_connections_closed_total{code="4429"}';
const REFUSED = 'taskwire_refused_total{limit="MESSAGES_PER_SECOND"}';
const RATE_LIMITED = 'taskwire_errors_total{code="RATE_LIMITED"}';

const PING = frame("x".repeat(125), { opcode: OPCODES.ping });
const PONG = frame("x".repeat(125), { opcode: OPCODES.pong });
const BROKEN = frame("{");

/** Sends all of it, and reads what comes meanwhile up to the close frame; it says goodbye then. */
async function flood(bytes: Uint8Array): Promise<Awaited<ReturnType<RawPeer["untilClosed"]>>> {
  using peer = await RawPeer.connect(target.port);
  const closed = peer.untilClosed();
  await peer.send(bytes).catch(() => {}); // it may be hung up on while it is at it
  const told = await closed;
  await peer.end();
  return told;
}

for (const [kind, frame] of [["ping", PING], ["pong", PONG]] as const) {
  Deno.test(`100,000 WebSocket ${kind}s at once are over the rate of messages, and close`, async () => {
    await target.withstands(async () => {
      const { code } = await flood(repeated(frame, 100_000));
      assertEquals(code, 4429);
      return { [CLOSED]: 1, [REFUSED]: 1 };
    });
  });
}

Deno.test("10,000 subscribes and unsubscribes at once are answered up to the rate, refused up to ten times the burst, and close", async () => {
  await target.withstands(async () => {
    const frames = Array.from({ length: 10_000 }, (_, i) => ({
      type: i % 2 === 0 ? "subscribe" : "unsubscribe",
      id: `s${i}`,
      data: { topics: ["task:progress"], ...(i % 2 === 0 ? { replay: "none" } : {}) },
    }));
    const { code, messages } = await flood(joined(frames.map((one) => frame(JSON.stringify(one)))));
    assertEquals(code, 4429);
    const errors = messages.filter(({ type }) => type === "error").length;
    const answers = messages.filter(({ type }) => type === "subscribed" || type === "unsubscribed").length;
    assertEquals(errors, 1_001);
    assert(answers >= 100 && answers < 200, `${answers} were answered`);
    return { [CLOSED]: 1, [REFUSED]: errors, [RATE_LIMITED]: errors };
  });
});

Deno.test("10,000 messages that are no frames close with the tenth", async () => {
  await target.withstands(async () => {
    const { code, messages } = await flood(repeated(BROKEN, 10_000));
    assertEquals([code, messages.filter(({ type }) => type === "error").length], [4400, 10]);
    return {
      'taskwire_connections_closed_total{code="4400"}': 1,
      'taskwire_errors_total{code="INVALID_MESSAGE"}': 10,
    };
  });
});

Deno.test("10,000 binary messages close with the tenth", async () => {
  await target.withstands(async () => {
    const { code } = await flood(repeated(frame("{}", { opcode: OPCODES.binary }), 10_000));
    assertEquals(code, 4400);
    return { 'taskwire_connections_closed_total{code="4400"}': 1 };
  });
});

type Question = { readonly type: string; readonly data: object };

/** What costs the most for what it takes to ask. */
const QUESTIONS: Readonly<Record<string, (i: number) => Question>> = {
  "get_task": (i) => ({ type: "get_task", data: { task_id: `t${i % TASKS}` } }),
  "get_task of the past": (i) => ({
    type: "get_task",
    data: { task_id: `t${i % TASKS}`, at: { seq: 9_000 } },
  }),
  "get_tasks of the largest page": () => ({ type: "get_tasks", data: { limit: 1_000 } }),
  "get_tasks of the last page": () => ({ type: "get_tasks", data: { limit: 1_000, page: 10 } }),
  "get_history of the largest page": () => ({ type: "get_history", data: { task_id: LONG, limit: 1_000 } }),
};

for (const [name, question] of Object.entries(QUESTIONS)) {
  Deno.test(`a flood of ${name} over 10,000 tasks is answered at the rate of messages, and others as before`, async () => {
    await target.withstands(() => ask(question));
  });
}

/** Asks 2,000 times at once and takes what comes for a second; what was refused was counted. */
async function ask(question: (i: number) => Question): Promise<Counts> {
  await using client = await TestClient.connect(`${target.process.wsUrl}/ws`);
  for (let i = 0; i < 2_000; i++) client.send({ id: `q${i}`, ...question(i) });
  const untilMs = performance.now() + 1_000;
  while (performance.now() < untilMs && !client.isClosed) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await client.crash();
  const refused = client.of("error").length;
  assert(refused > 0, "some were too many");
  assert(client.frames.length - refused >= 2, "some were answered");
  return {};
}
