import { assert, assertEquals, assertMatch } from "@std/assert";
import { eventually } from "../eventually.ts";
import { startNatsServer } from "../nats_server.ts";
import { frame, RawPeer } from "../transport/raw_peer.ts";
import { TestClient } from "../websocket_client.ts";
import { AttackedGateway } from "./attacked_gateway.ts";
import { NatsSpy } from "./nats_spy.ts";
import { NO_IDS, TAGS_TOO } from "./resemblances.ts";
import { type Answer, exchange, requestOf, upgradeOf } from "./raw_http.ts";

const server = await startNatsServer();
const spy = await NatsSpy.on(server.url);

const target = AttackedGateway.forAllTests({
  settings: {
    NATS_URL: server.url,
    LOG_LEVEL: "debug",
    MESSAGES_PER_SECOND: "10000",
    MESSAGES_BURST: "10000",
    REQUESTS_PER_SECOND: "10000",
    REQUESTS_BURST: "10000",
  },
});
Deno.test.afterAll(async () => {
  await spy[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

type Said = { readonly how: string; readonly answer: string };

/** Sends a name by every way in that there is, and returns every answer as it came. */
async function sayEverywhere(name: string): Promise<readonly Said[]> {
  const said: Said[] = [];
  using peer = await RawPeer.connect(target.port);
  const told = async (): Promise<string> => new TextDecoder().decode((await peer.next())?.payload);
  await told(); // the welcome
  const asked: readonly (readonly [type: string, data: object])[] = [
    ["get_task", { task_id: name }],
    ["get_task", { task_id: name, at: { seq: 1 } }],
    ["get_history", { task_id: name }],
    ["cancel_task", { task_id: name, reason: name }],
    ["subscribe", { topics: [`task:id:${name}`] }],
    ["subscribe", { topics: [`task:id:${name}:progress`], since: { epoch: name, seq: 0 } }],
    ["unsubscribe", { topics: [`task:id:${name}`] }],
    ["get_tasks", { parent_id: name }],
    ...(TAGS_TOO.has(name) ? [] : [
      ["subscribe", { topics: [`task:tag:${name}`] }],
      ["get_tasks", { tag: name }],
    ] as const),
  ];
  for (const [i, [type, data]] of asked.entries()) {
    if (i > 0 && i % 9 === 0) return [...said, ...await sayOverHttp(name)]; // the tenth would close
    await peer.send(frame(JSON.stringify({ type, id: "q", data })));
    said.push({ how: type, answer: await told() });
  }
  return [...said, ...await sayOverHttp(name)];
}

async function sayOverHttp(name: string): Promise<readonly Said[]> {
  const inPath = encodeURIComponent(name.toWellFormed());
  const json = (line: string, value: unknown, headers: Readonly<Record<string, string>> = {}): Uint8Array => {
    const body = JSON.stringify(value);
    const length = String(new TextEncoder().encode(body).length);
    return requestOf(`${line} HTTP/1.1`, {
      "Content-Type": "application/json",
      "Content-Length": length,
      ...headers,
    }, body);
  };
  const query = encodeURIComponent(name);
  const requests: readonly (readonly [how: string, bytes: Uint8Array])[] = [
    ["POST events", json(`POST /api/tasks/${inPath}/events`, { kind: "started" })],
    ["POST cancel", json(`POST /api/tasks/${inPath}/cancel`, { reason: name })],
    ["GET task", requestOf(`GET /api/tasks/${inPath} HTTP/1.1`)],
    ["GET events", requestOf(`GET /api/tasks/${inPath}/events HTTP/1.1`)],
    ["parent_id in the query", requestOf(`GET /api/tasks?parent_id=${query} HTTP/1.1`)],
    ["parent_id of an event", json("POST /api/tasks/real/events", { kind: "created", parent_id: name })],
    ["kind of an event", json("POST /api/tasks/real/events", { kind: name })],
    // Between the commas of a query spaces are nothing.
    [
      "topics of a stream",
      requestOf(`GET /api/stream?topics=task:id:${query.replace("%20", "+x+")} HTTP/1.1`),
    ],
    ...(TAGS_TOO.has(name) ? [] : [
      ["tag in the query", requestOf(`GET /api/tasks?tag=${query} HTTP/1.1`)],
      ["tag of an event", json("POST /api/tasks/real/events", { kind: "created", tags: [name] })],
    ] as const),
  ];
  return await Promise.all(requests.map(async ([how, bytes]) => {
    const answer = await exchange(target.port, bytes);
    if (answer === undefined) throw new Error(`${how} was not answered`);
    assert(answer.status >= 400 && answer.status < 500, `${how}: ${answer.status} ${answer.body}`);
    isPlain(how, answer);
    return { how, answer: answer.body };
  }));
}

/** An answer that can do nothing to whoever shows it: JSON that says so, and no control characters in it. */
function isPlain(how: string, { headers, body }: Answer): void {
  assertMatch(headers.get("content-type") ?? "application/json", /^application\/(problem\+)?json/, how);
  if (headers.has("content-type")) assertEquals(headers.get("x-content-type-options"), "nosniff", how);
  assert(!/\p{Cc}/u.test(body), how);
}

Deno.test("what is no name of a task is none on every way in, and no subject", async (t) => {
  await target.withstands(async () => {
    const before = await target.process.get("/api/rejected");
    for (const [what, name] of Object.entries(NO_IDS)) {
      await t.step(`a name with ${what}`, async () => {
        await spy.heard();
        for (const { how, answer } of await sayEverywhere(name)) {
          assert(!/\p{Cc}/u.test(answer), `${how}: ${JSON.stringify(answer)}`);
          const { type = "error" }: { type?: string } = JSON.parse(answer);
          assert(["error", "unsubscribed", "about:blank"].includes(type), `${how}: ${answer}`);
          assert(!answer.includes("SERVER_ERROR"), `${how}: ${answer}`);
        }
        assertEquals((await spy.heard()).filter((subject) => !isOfOwn(subject)), []);
      });
    }
    assertEquals(await target.process.get("/api/rejected"), before);
  });
});

/** What a gateway says to NATS for itself, which follows the stream of which it knows the name, and what NATS tells of that. */
function isOfOwn(subject: string): boolean {
  return /^(_INBOX\.[A-Za-z0-9.]+|\$JS\.EVENT\.ADVISORY\.[A-Za-z0-9._-]+)$/.test(subject) ||
    /^\$JS\.(API\.(STREAM\.INFO|DIRECT\.GET|CONSUMER\.[A-Z.]+)\.TASKWIRE(\.[A-Za-z0-9_-]+)*(\.taskwire\.>)?|ACK\..*|FC\..*)$/
      .test(subject);
}

/** What would be a line of its own among the headers of a message, or is no name. */
const NO_EVENT_IDS = [
  "a\r\nNats-Expected-Last-Sequence: 7",
  "a\nNats-Rollup: all",
  "a\r\n\r\n{}",
  "a\0",
  "a b",
  "a\u0085b",
  "\u00e9",
  "",
  "x".repeat(101),
];

Deno.test("the id of an event is no header of NATS beside it, and one that is none appends nothing", async (t) => {
  await target.withstands(async () => {
    for (const id of NO_EVENT_IDS) {
      await t.step(JSON.stringify(id.slice(0, 40)), async () => {
        await spy.heard();
        const append = async (
          body: object,
          headers: Readonly<Record<string, string>> = {},
        ): Promise<number> => {
          const answer = await fetch(`${target.process.url}/api/tasks/named/events`, {
            method: "POST",
            headers: { "content-type": "application/json", ...headers },
            body: JSON.stringify(body),
          });
          await answer.body?.cancel();
          return answer.status;
        };
        assertEquals(await append({ kind: "started", event_id: id }), 400);
        assertEquals(await append([{ kind: "started" }, { kind: "started", event_id: id }]), 400);
        if (/^[ -~]{2,}$/.test(id)) {
          assertEquals(await append({ kind: "started" }, { "idempotency-key": id }), 400);
        }
        assertEquals((await spy.heard()).filter((subject) => !isOfOwn(subject)), []);
      });
    }
  });
});

/** Names that objects have of themselves. */
const INHERITED = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "valueOf",
  "__defineGetter__",
];

Deno.test("ids and tags that every object has are ids and tags like others, and are there when somebody made them", async () => {
  await target.withstands(async () => {
    await using client = await TestClient.connect(`${target.process.wsUrl}/ws`);
    for (const name of INHERITED) {
      const [id, tag] = [name, `${name}_`];
      const none = await client.request("get_task", { task_id: `${id}-none` });
      assert(none.type === "error" && none.error.code === "TASK_NOT_FOUND");
      await spy.heard();
      await target.process.post(id, { kind: "created", tags: [name, tag], type: name });
      const heard = new Set((await spy.heard()).filter((subject) => !isOfOwn(subject)));
      assertEquals([...heard], [`taskwire.task.${id}.created`]);
      await eventually("the task is there", async () => {
        const list = await client.request("get_tasks", { tag: name });
        return list.type === "task_list" &&
          list.data.tasks.map(({ task_id }) => task_id).join() === id;
      });
      const list = await client.request("get_tasks", { type: name });
      assert(list.type === "task_list" && list.data.tasks.length === 1);
      const held = await client.request("subscribe", { topics: [`task:id:${id}`, `task:tag:${name}`] });
      assertEquals(held.type, "subscribed");
    }
    for (const type of [...INHERITED, ...INHERITED.map((name) => `${name}.${name}`)]) {
      // Not more than nine: the tenth would close.
      await using other = await TestClient.connect(`${target.process.wsUrl}/ws`);
      const refused = await other.request(type);
      assert(refused.type === "error" && refused.error.code === "INVALID_MESSAGE");
    }
  });
});

Deno.test("members that every object has are members like others in any JSON, and change nothing that was not asked for", async () => {
  await target.withstands(async () => {
    const poison = '"__proto__":{"admin":true,"status":"completed","attempt":7,"limit":1,"polluted":1},' +
      '"constructor":{"prototype":{"polluted":1,"status":"completed"}}';
    using peer = await RawPeer.connect(target.port);
    await peer.next();
    await peer.send(
      frame(`{"type":"get_tasks","id":"p",${poison},"data":{"limit":1000,${poison}}}`),
    );
    const list = JSON.parse(new TextDecoder().decode((await peer.next())?.payload));
    assertEquals([list.type, list.data.limit === undefined || list.data.limit > 1], ["task_list", true]);
    const answer = await fetch(`${target.process.url}/api/tasks/poisoned/events`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: `[{"kind":"started",${poison}},{"kind":"progress","total":2,"completed":1,${poison}}]`,
    });
    assertEquals([answer.status, JSON.stringify(await answer.json()).includes("polluted")], [202, false]);
    await eventually("the task is there", async () => {
      const task: { status?: string; attempt?: number } = JSON.parse(
        JSON.stringify(await target.process.get("/api/tasks/poisoned").catch(() => ({}))),
      );
      return task.status === "running" && task.attempt === 1;
    });
    const rejected = JSON.stringify(await target.process.get("/api/rejected"));
    assert(!rejected.includes("polluted"));
  });
});

/** What makes more lines of one, or does something to a terminal. */
const FORGED = [
  "\r\n2026-01-01T00:00:00.000Z error forged",
  "\n2026-01-01T00:00:00.000Z error forged",
  "\u001b[2J\u001b]0;forged\u0007",
  "\u009b2J",
  "\u2028forged",
  "\u202eforged",
  "\u0000forged",
];

Deno.test("nothing that somebody sends is a line of the log of its own, or does anything to a terminal", async () => {
  const before = new Set(target.process.said.split("\n"));
  await target.withstands(async () => {
    for (const forged of FORGED) {
      const encoded = encodeURIComponent(forged);
      const raw = forged.replaceAll(/[\r\n\0]/g, " ");
      const requests = [
        requestOf(`GET /api/tasks/${encoded}?token=${encoded}&at_epoch=${encoded} HTTP/1.1`, {
          "User-Agent": raw,
          "X-Forwarded-For": raw,
          traceparent: raw,
          Authorization: `Bearer ${raw}`,
          Referer: raw,
        }),
        requestOf(`GET /${encoded} HTTP/1.1`, { Host: `${raw}` }),
        upgradeOf(`/ws/${encoded}`, { "User-Agent": raw }),
        requestOf(`POST /api/tasks/a/events HTTP/1.1`, {
          "Content-Type": "application/json",
          "Content-Length": "3",
          "Idempotency-Key": raw,
        }, "{\u001b}"),
      ];
      await Promise.all(requests.map((bytes) => exchange(target.port, bytes)));
      const path = `/ws?client_id=${encoded}&topics=${encoded}&since=${encoded}&token=${encoded}`;
      using peer = await RawPeer.connect(target.port, path);
      assertEquals((await peer.untilClosed()).code, 4400);
      await peer.end();
      await using client = await TestClient.connect(`${target.process.wsUrl}/ws?topics=${encoded}`);
      await client.next("welcome");
      client.send({ type: forged, id: forged, data: { task_id: forged } });
      client.send(forged);
      await client.until((frames) => frames.filter(({ type }) => type === "error").length >= 2);
      await client.close(1000);
    }
    isOfOneLog(target.process.said, before);
  });
});

/** What a gateway has said beside what it had before: nothing in it is of those who ask. */
function isOfOneLog(said: string, before: ReadonlySet<string>): void {
  assert(!/[^\P{Cc}\n]|[\u2028\u2029\u202a-\u202e]/u.test(said), "it has control characters in it");
  assert(!said.includes("forged"), said);
  for (const line of said.split("\n").filter((line) => !before.has(line))) {
    assertMatch(line, /^\d{4}-\d{2}-\d{2}T[\d:.]+Z (debug|info|warn|error) [A-Z]/);
  }
}
