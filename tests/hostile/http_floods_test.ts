import { assert, assertEquals } from "@std/assert";
import { openSqliteLog } from "../../src/log/sqlite_log.ts";
import { eventually } from "../eventually.ts";
import { AttackedGateway } from "./attacked_gateway.ts";
import { repeated, utf8 } from "./raw_bytes.ts";

const TASKS = 5_000;

/** Tasks of which a page is large. */
async function fill(dataDir: string): Promise<void> {
  const options = {
    dataDir,
    retainAgeMs: 604_800_000,
    retainPerSubject: 1_000,
    dedupWindowMs: 120_000,
  } as const;
  await using log = await openSqliteLog({ ...options, survives: "process" });
  const body = utf8(JSON.stringify({ total: 10, completed: 3, current: "one of many" }));
  for (let start = 0; start < TASKS; start += 1_000) {
    await log.append(
      Array.from({ length: 1_000 }, (_, i) => ({ subject: `task.t${start + i}.progress`, body })),
    );
  }
}

const target = AttackedGateway.forAllTests({
  fill,
  warmUp: async ({ process }) => void await warmUp(process.url),
});

async function warmUp(url: string): Promise<void> {
  for (let i = 0; i < 150; i++) await (await fetch(`${url}/api/tasks?limit=1000`)).text();
}

function request(path: string): Uint8Array {
  return utf8(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${target.port}\r\n\r\n`);
}

/** Connections that ask and, maybe, read; all of them are closed at the end. */
class Crowd implements Disposable {
  readonly connections: Deno.TcpConn[] = [];
  /** How many of them were hung up on. */
  ended = 0;
  /** What came, in bytes. */
  read = 0;
  #isOver = false;

  /** So many connections, each of which sends these bytes. */
  static async of(size: number, bytes: Uint8Array, isReading: boolean): Promise<Crowd> {
    const crowd = new Crowd();
    for (let i = 0; i < size; i++) {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port: target.port });
      crowd.connections.push(connection);
      crowd.#send(connection, bytes).catch(() => {}); // it may be hung up on while it is at it
      if (isReading) crowd.#read(connection).catch(() => {}).finally(() => crowd.#isOver || crowd.ended++);
    }
    return crowd;
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    for (const connection of this.connections) connection.close();
  }

  async #send(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
  }

  async #read(connection: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(65_536);
    for (let read = await connection.read(buffer); read !== null; read = await connection.read(buffer)) {
      this.read += read;
    }
  }
}

function passed(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

for (const path of ["/healthz", "/dashboard.js", "/api/tasks/t1", "/metrics"]) {
  Deno.test(`10,000 requests for ${path} on one connection at once, before any answer is read, end it`, async () => {
    await target.withstands(async () => {
      using crowd = await Crowd.of(1, repeated(request(path), 10_000), true);
      await passed(500);
      assertEquals(crowd.ended, 1);
    });
  });
}

Deno.test("one request after the other on one connection is answered, however many", async () => {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: target.port });
  const buffer = new Uint8Array(65_536);
  for (let i = 0; i < 200; i++) {
    await connection.write(request("/healthz"));
    const answer = new TextDecoder().decode(buffer.subarray(0, await connection.read(buffer) ?? 0));
    assert(answer.startsWith("HTTP/1.1 200"), answer);
  }
});

for (const isReading of [true, false]) {
  const how = isReading ? "each of them reads" : "none of them reads";
  Deno.test(`300 connections that ask for the largest page of tasks at once are answered a few at a time; ${how}`, async () => {
    await target.withstands(async () => {
      using crowd = await Crowd.of(300, request("/api/tasks?limit=1000"), isReading);
      await passed(1_500);
      if (isReading) await eventually("pages come", () => crowd.read > 10_000_000, 10_000);
    });
  });
}

Deno.test("who asks for more pages at once than wait for their turn is told 429, and nobody else is", async () => {
  const statuses = new Map<number, number>();
  const asked = Array.from({ length: 100 }, async () => {
    const response = await fetch(`${target.process.url}/api/tasks?limit=1000`);
    await response.body?.cancel();
    statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
  });
  await Promise.all(asked);
  assertEquals([...statuses.keys()].sort(), [200, 429]);
  await target.process.get("/api/tasks?limit=1000");
});
