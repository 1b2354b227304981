/**
 * The official NATS client, following the stream with an ordered consumer and doing nothing with what comes. Told by
 * a line of JSON `{"url", "from", "count"}`, it answers how long that many messages took, ms.
 */
import { connect, DeliverPolicy } from "nats";
import { obeyLines } from "../line_commands.ts";
import { monotonicMs } from "../libc.ts";

async function follow(url: string, from: number, count: number): Promise<number> {
  const connection = await connect({ servers: url, noAsyncTraces: true });
  const consumer = await connection.jetstream().consumers.get("TASKWIRE", {
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: from,
  });
  const startMs = monotonicMs();
  const messages = await consumer.consume({ max_messages: 10_000 });
  let left = count;
  for await (const _ of messages) if (--left === 0) break;
  const ms = monotonicMs() - startMs;
  await connection.close();
  return ms;
}

await obeyLines(async (line) => {
  // The one who writes these lines is the scenario that starts this program.
  const { url, from, count } = line as { url: string; from: number; count: number };
  return { ms: await follow(url, from, count) };
});
