import { assert, assertEquals } from "@std/assert";
import { eventually } from "../eventually.ts";
import { eventOf, LiveGateway } from "../transport/live_gateway.ts";

const LINES = 60;
const KEPT = 20;

Deno.test("where more lines came than are kept of a channel, who asks for all or comes back is told so", async () => {
  await using live = await LiveGateway.start({ RETAIN_PER_SUBJECT: `${KEPT}`, TAIL_EVENTS: "16" });
  const { pipeline } = live.gateway;
  assert(pipeline !== undefined);
  pipeline.plugins.add({ name: "log", namespaces: [{ name: "log", conflation: "all", retained: false }] });
  // Retention by age took nothing: it is not by the log's beginning that anybody knows.
  await live.append(eventOf("old", "created"));
  const line = (i: number) => ({ subject: "data.~log.full", body: new TextEncoder().encode(`${i}`) });
  for (let i = 1; i <= LINES; i++) await live.append(line(i));
  await live.append(
    { ...line(1), subject: "data.~log.short" },
    ...Array.from({ length: 20 }, () => eventOf("new", "progress")),
  );
  const { log } = pipeline;
  await eventually("the oldest lines are gone", async () => {
    const { entries } = await log.read({ subject: "data.~log.full", after: 0, limit: 100 });
    return entries.length === KEPT;
  });
  const told = async (query: string): Promise<unknown> => {
    await using client = await live.connect(`/ws?topics=${query}`);
    const { data } = await client.next("subscribed");
    const caughtUp = await client.next("caught_up");
    const [gap] = client.of("gap").map(({ data }) => [data.missed_from, data.missed_to]);
    const lines = client.of("channel_update").filter(({ seq = 0 }) => seq <= caughtUp.data.seq).length;
    return { truncated: data.replay?.truncated, recovered: data.recovered, gap, lines };
  };
  const none = { truncated: undefined, recovered: undefined, gap: undefined };
  assertEquals(await told("log:full&replay=all"), { ...none, truncated: true, lines: KEPT });
  assertEquals(await told("log:short&replay=all"), { ...none, truncated: false, lines: 1 });
  const { epoch } = pipeline;
  const first = 1 + LINES - KEPT;
  assertEquals(await told(`log:full&since=${epoch}:10`), {
    ...none,
    recovered: false,
    gap: [11, first],
    lines: 0,
  });
  assertEquals(await told(`log:full&since=${epoch}:${first}`), { ...none, recovered: true, lines: KEPT });
  assertEquals(await told(`log:short&since=${epoch}:10`), { ...none, recovered: true, lines: 1 });
});
