import { assertEquals } from "@std/assert";
import { openJetStreamLog } from "../../src/log/jetstream_log.ts";
import { startNatsServer } from "../nats_server.ts";

const SETTINGS = {
  stream: "TASKWIRE",
  prefix: "taskwire",
  replicas: 1,
  retainAgeMs: 0,
  retainPerSubject: 50,
  dedupWindowMs: 1_000,
};

Deno.test("a page read at known positions is the page that a search finds, without those that are gone", async () => {
  await using server = await startNatsServer();
  await using log = await openJetStreamLog({ nats: { url: server.url }, ...SETTINGS });
  const entries = Array.from({ length: 600 }, (_, i) => ({
    subject: i % 3 === 0 ? "task.a.progress" : `task.b${i}.started`,
    body: new TextEncoder().encode(i % 5 === 0 ? "" : `{"completed":${i}}`),
    ...(i % 9 === 0 ? { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" } : {}),
  }));
  const appended = await log.append(entries);
  const positions = appended.flatMap(({ seq }, i) => i % 3 === 0 ? [seq] : []);
  const subject = "task.a.progress";
  for (
    const page of [{ after: 0, limit: 1_000 }, { after: 300, limit: 7 }, {
      after: 0,
      upTo: 500,
      limit: 1_000,
    }]
  ) {
    const found = await log.read({ ...page, subject });
    const read = await log.read({ ...page, subject, positions });
    // The cap has taken all but the newest fifty; a page of positions that are gone is short, never wrong.
    if (page.limit === 1_000) assertEquals(read, found);
    else assertEquals(read.entries, found.entries.filter(({ seq }) => seq <= read.through));
  }
  assertEquals(await log.read({ after: 0, limit: 10, subject, positions: [] }), {
    entries: [],
    through: 600,
  });
});
