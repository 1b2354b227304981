import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Scope } from "../../src/access/scope.ts";
import { CHANNELS, TASKS } from "../../src/channel/built_in.ts";
import { channelOf, channelSubject } from "../../src/channel/channel_subject.ts";
import { Namespaces } from "../../src/channel/namespaces.ts";
import { readChannel } from "../../src/gateway/channel_page.ts";
import type { Entry } from "../../src/log/event_log.ts";
import type { ChannelPage } from "../../src/plugins/plugin.ts";
import type { Delivery } from "../../src/projection/delivery.ts";
import { History } from "../../src/projection/history.ts";
import { Projection, type ProjectionBounds } from "../../src/projection/projection.ts";
import { Turns } from "../../src/projection/turns.ts";
import { Whose } from "../../src/projection/whose.ts";
import { taskOf } from "../../src/protocol/topics.ts";
import { SnapshotWalk } from "../../src/router/snapshot.ts";
import { MemoryLog } from "../connection/memory_log.ts";
import { boundsOf } from "./bounds.ts";
import { eventOf, record } from "./events.ts";

const IDS = ["t0", "t1", "t2"];
const BOUNDS: Readonly<Record<string, ProjectionBounds>> = {
  "with room for all": boundsOf(),
  "without a tail": boundsOf({ maxEvents: 0 }),
  "with room for one task": boundsOf({ maxTasks: 1, maxEvents: 0 }),
  "that knows of no place": boundsOf({ maxTasks: 1, maxEvents: 0, whereaboutsBytes: 0 }),
};

/** Lines of `log`, of which all count, and of `note`, of which the last is retained. */
function namespaces(): Namespaces {
  return new Namespaces([
    TASKS,
    ...CHANNELS,
    { name: "log", of: "task", conflation: "all", retained: false },
    { name: "note", of: "task" },
  ]);
}

const encoder = new TextEncoder();

function value(seq: number, taskId: string, namespace: string): Entry {
  const subject = channelSubject({ topic: `task:id:${taskId}:${namespace}`, key: "" });
  return { seq, time: seq, subject, body: encoder.encode(`${seq}`) };
}

const arbitraryLog: fc.Arbitrary<readonly Entry[]> = fc.array(
  fc.tuple(
    fc.constantFrom(...IDS),
    fc.oneof(
      fc.subarray(["a", "b"]).map((tags) => ({ kind: "created", tags })),
      fc.constantFrom("started", "progress", "completed", "log", "log", "note").map((kind) => ({ kind })),
    ),
  ),
  { maxLength: 30, size: "max" },
).map((said) =>
  said.map(([id, { kind, ...body }], i) =>
    kind === "log" || kind === "note" ? value(i + 1, id, kind) : record(i + 1, id, kind, body)
  )
);

/** A value, and what its task was known by. */
type Told = { readonly seq: number; readonly topic: string; readonly tags: string };

/** Of each value the tags that its task had when it came, by a straightforward walk. */
function truth(entries: readonly Entry[]): readonly Told[] {
  const tags = new Map<string, readonly string[]>();
  return entries.flatMap((entry) => {
    const { topic } = channelOf(entry.subject) ?? {};
    if (topic !== undefined) {
      return [{ seq: entry.seq, topic, tags: (tags.get(taskOf(topic) ?? "") ?? []).join() }];
    }
    const event = eventOf(entry);
    if (event.kind === "created") tags.set(event.taskId, event.body.tags ?? []);
    return [];
  });
}

function valuesIn(deliveries: readonly Delivery[]): readonly Told[] {
  return deliveries.flatMap(({ seq, taskId: topic, key, about }) =>
    key === undefined ? [] : [{ seq, topic, tags: `${about?.tags}` }]
  );
}

async function replay(history: History, head: number, tasks?: ReadonlySet<string>): Promise<Delivery[]> {
  const told: Delivery[] = [];
  for (let after = 0; after < head;) {
    const page = await history.page({ after, upTo: head, ...(tasks === undefined ? {} : { tasks }) });
    told.push(...page.block.deliveries.filter(({ seq }) => seq > page.after && seq <= page.through));
    after = page.through;
  }
  return told;
}

/** The positions of a channel's values as somebody reads them, on and back. */
async function readBy(tag: string, projection: Projection, topic: string): Promise<readonly number[][]> {
  const access = {
    subject: tag,
    rights: new Set(["subscribe" as const]),
    scope: Scope.of([`task:tag:${tag}`]),
  };
  const asker = { access, nowMs: 0 };
  const turns = new Turns(1);
  const on: number[] = [];
  for (let afterSeq: number | undefined = 0; afterSeq !== undefined;) {
    const page: ChannelPage = await readChannel({ projection, turns }, topic, { afterSeq, limit: 2, asker });
    on.push(...page.values.map(({ seq }) => seq));
    afterSeq = page.next_after_seq;
  }
  const back: number[] = [];
  for (let beforeSeq: number | undefined = 1_000; beforeSeq !== undefined;) {
    const page: ChannelPage = await readChannel({ projection, turns }, topic, { beforeSeq, limit: 2, asker });
    back.unshift(...page.values.map(({ seq }) => seq));
    beforeSeq = page.next_before_seq;
  }
  return [on, back];
}

/** How many frames of a channel somebody begins with. */
async function snapshotBy(tag: string, projection: Projection, topic: string): Promise<number> {
  const scope = Scope.of([`task:tag:${tag}`]);
  const walk = new SnapshotWalk(projection, {
    topics: [topic],
    at: projection.head,
    sees: (task) => scope.sees(task),
  });
  for (let frames = 0;;) {
    const chunk = await walk.next(0);
    frames += chunk.frames.length;
    if (chunk.done) return frames;
  }
}

for (const [what, bounds] of Object.entries(BOUNDS)) {
  Deno.test(`a value about a task is for whom that was when it came, however it is told: a gateway ${what}`, async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryLog, fc.nat(30), async (entries, bootedAt) => {
        const expected = truth(entries);
        const log = new MemoryLog({ now: () => 0 });
        const projection = new Projection(log, { ...bounds, namespaces: namespaces() });
        for (const entry of entries.slice(0, bootedAt)) log.put(entry);
        await projection.boot();
        await projection.learnWhereabouts(new AbortController().signal);
        const live: Delivery[] = [];
        for (const entry of entries.slice(bootedAt)) {
          log.put(entry);
          live.push(...(await projection.apply([entry])).deliveries);
        }
        assertEquals(valuesIn(live), expected.filter(({ seq }) => seq > bootedAt), "live");
        const history = new History(log, projection, { positions: 3, records: 4, bytes: 10_000, atOnce: 4 });
        assertEquals(valuesIn(await replay(history, projection.head)), expected, "replayed");
        for (const id of IDS) {
          const isLine = ({ topic }: Told) => topic === `task:id:${id}:log`;
          const lines = expected.filter(isLine);
          const alone = valuesIn(await replay(history, projection.head, new Set([`task:id:${id}:log`])));
          assertEquals(alone.filter(isLine), lines, "of one channel alone");
          const note = expected.findLast(({ topic }) => topic === `task:id:${id}:note`);
          for (const tag of ["a", "b"]) {
            const seen = lines.filter(({ tags }) => tags.includes(tag)).map(({ seq }) => seq);
            assertEquals(await readBy(tag, projection, `task:id:${id}:log`), [seen, seen], "page by page");
            const retained = note?.tags.includes(tag) === true ? 1 : 0;
            assertEquals(await snapshotBy(tag, projection, `task:id:${id}:note`), retained, "retained");
          }
        }
      }),
      { numRuns: 100 },
    );
  });
}

Deno.test("whose a task was is told in as few stretches as there are", () => {
  const whose = new Whose("t");
  const said: readonly [number, readonly string[]][] = [
    [3, ["a"]],
    [5, ["a"]],
    [7, ["a", "b"]],
    [9, ["b"]],
    [12, []],
    [20, ["a"]],
  ];
  for (const [seq, tags] of said) {
    const event = eventOf(record(seq, "t", "created", { tags }));
    assert(event.kind === "created");
    whose.add(event);
  }
  const seen = (pattern: string, head = 30) => whose.seenBy(Scope.of([pattern]), head);
  assertEquals(seen("task:tag:a"), [{ after: 2, through: 8 }, { after: 19, through: 30 }]);
  assertEquals(seen("task:tag:b", 10), [{ after: 6, through: 10 }]);
  assertEquals(seen("task:tag:b", 5), []);
  assertEquals(seen("task:id:t"), [{ after: 0, through: 30 }]);
  assertEquals([2, 3, 8, 11, 12, 25].map((seq) => whose.at(seq).tags.join()), ["", "a", "a,b", "b", "", "a"]);
});
