import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { statusData } from "../../src/task/task.ts";
import { settled, World } from "../connection/world.ts";
import { byPosition, changesOf, ofTask, positionIn, TASKS } from "./statuses.ts";
import { type Happening, happening, type Page, Trial } from "./tab_trial.ts";

async function live(hopMs: number, happenings: readonly Happening[]): Promise<void> {
  const world = await World.booted();
  const trial = new Trial(world, hopMs);
  trial.open();
  trial.open();
  for (const one of happenings) {
    await trial.happen(one);
    await settled();
  }
  trial.reachable(true);
  for (const { tab } of trial.alive) {
    tab.wake();
    tab.tell("pageshow");
  }
  globalThis.dispatchEvent(new Event("online"));
  await trial.pass(150_000);
  const opened = () => trial.pages.map(({ wire }) => wire.opened);
  const before = opened();
  await trial.pass(50_000);
  assertEquals(opened(), before, "and then nobody connects any more");

  assertEquals(world.faults, [], "nothing failed");
  const { alive } = trial;
  const roles = alive.map(({ client }) => client.tab);
  const open = alive.map(({ wire }) => wire.open);
  const isShared = roles.some((role) => role !== "own");
  assertEquals(roles.filter((role) => role === "leading").length, isShared ? 1 : 0, `one leads: ${roles}`);
  assertEquals(
    open,
    roles.map((role) => role === "following" ? 0 : 1),
    `it alone has a connection: ${roles}`,
  );
  assert(alive.every(({ client, hasHistory }) => client.tab !== "own" || hasHistory), `all share: ${roles}`);
  const changes = await changesOf(world);
  for (const page of alive) assertTold(page, changes, world);
  for (const page of alive) {
    assertEquals(
      (await Promise.all(page.answers)).length,
      page.answers.length,
      "every request came to an end",
    );
  }
  for (const page of trial.pages) page.client.close();
  for (const { tab } of trial.pages) tab.crash();
  await trial.pass(200);
  const left = {
    timers: world.clock.pending,
    locks: trial.browser.locks.length,
    channels: trial.browser.channels.size,
  };
  assertEquals(left, { timers: 0, locks: 0, channels: 0 }, `nothing is left: ${JSON.stringify(left)}`);
}

function assertTold({ client, witnesses, stores }: Page, changes: readonly string[], world: World): void {
  assertEquals(client.state.kind, "open");
  for (const { isLive, topics, seen, from } of witnesses) {
    assert(isLive, `what is watched is live: ${topics}`);
    assertEquals(new Set(seen).size, seen.length, "no event twice");
    for (const id of TASKS) {
      const ofIt = ofTask(world, seen, id);
      assertEquals(ofIt, ofIt.toSorted(byPosition), "in order");
    }
    const due = changes.filter((change) => positionIn(change) > from && concerns(world, change, topics));
    assertEquals(due.filter((change) => !seen.includes(change)), [], `nothing is missing of ${topics}`);
  }
  stores.forEach((store, i) => {
    const id = TASKS[i] ?? "";
    const record = world.projection.tasks.get(id);
    const data = record && statusData(record.state, record.pace);
    const { isStale, status, progress } = store.getSnapshot();
    const shown = [isStale, status, progress?.completed];
    assertEquals(shown, [false, data?.status, data?.progress.completed], `${id} is shown as ${shown}`);
  });
}

/** Whether a change of status belongs to one of these topics for certain. */
function concerns(world: World, change: string, topics: readonly string[]): boolean {
  const ids = topics.includes("task:status") ? TASKS : TASKS.filter((id) => topics.includes(`task:id:${id}`));
  return ids.some((id) => ofTask(world, [change], id).length > 0);
}

Deno.test("whatever becomes of tabs, one has the connection, and each is told everything, once", async () => {
  const runs = 60 * Number(Deno.env.get("RUNS") ?? 1);
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(1, 2, 9, 40), fc.array(happening, { maxLength: 40, size: "max" }), live),
    { numRuns: runs },
  );
});
