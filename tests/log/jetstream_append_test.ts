import { assertEquals } from "@std/assert";
import { Appender } from "../../src/log/jetstream_append.ts";
import { openLink } from "../../src/nats/link.ts";
import { startNatsServer } from "../nats_server.ts";
import { connected, PREFIX, STREAM } from "./jetstream_bench.ts";
import { rejection } from "./probe.ts";

const refusal = (code: number, errCode: number, description: string) =>
  JSON.stringify({ error: { code, err_code: errCode, description }, stream: STREAM, seq: 0 });

/** What a cluster of nats-server 2.11 and later says while it stores another copy, or another record of the subject. */
const ID_IN_PROCESS = refusal(409, 10158, "duplicate message id is in process");
const LAST_IN_PROCESS = refusal(400, 10164, "wrong last sequence");
const TOO_MANY = refusal(429, 10167, "too many requests");

/** Appends one record where a server answers with these, one after the other; resolves with what came of it. */
async function answered(...answers: readonly string[]): Promise<unknown> {
  await using server = await startNatsServer({ jetstream: false });
  let came: unknown;
  await connected(server, async (connection) => {
    const left = [...answers];
    connection.subscribe(`${PREFIX}.task.>`, {
      callback: (_error, message) => void message.respond(left.shift() ?? answers.at(-1) ?? ""),
    });
    await connection.flush();
    await using link = await openLink({ url: server.url });
    const options = { withinMs: 5_000, newId: () => "id" };
    const js = { link, stream: STREAM, prefix: PREFIX };
    const appender = new Appender(js, options, new AbortController().signal);
    const body = new Uint8Array();
    came = [...await appender.append([{ subject: "task.t.stale", body, id: "one", last: 0 }]), left.length];
  });
  return came;
}

Deno.test("a record whose copy is being stored, or for which there is no room yet, is sent again", async () => {
  const stored = JSON.stringify({ stream: STREAM, seq: 7, duplicate: true });
  assertEquals(await answered(ID_IN_PROCESS, TOO_MANY, stored), [{ seq: 7, duplicate: true }, 0]);
});

Deno.test("a record is overtaken by one of its subject that is being stored", async () => {
  assertEquals(await answered(LAST_IN_PROCESS), [{ seq: 0, duplicate: false, overtaken: true }, 0]);
});

Deno.test("another answer is a refusal", async () => {
  await rejection(answered(refusal(400, 10_052, "no")), "refused");
});
