import { assert, assertEquals } from "@std/assert";
import { eventually } from "../eventually.ts";
import { type GatewayProcess, withGateway } from "../gateway/gateway_process.ts";
import { browserOf, type SharingTab, type Trial, withTabs } from "./tab_pages.ts";

async function tellOf(tabs: readonly SharingTab[], expression: string): Promise<readonly unknown[]> {
  return await Promise.all(tabs.map(({ evaluate }) => evaluate(expression)));
}

async function all(what: string, tabs: readonly SharingTab[], expression: string): Promise<void> {
  let told: readonly unknown[] = [];
  await eventually(what, async () => {
    told = await tellOf(tabs, expression);
    return told.every((value) => value === true);
  }, 20_000).catch(async (error) => {
    const state = await tellOf(
      tabs,
      "JSON.stringify([window.client?.tab, window.client?.state, window.told])",
    );
    throw new Error(state.join("; "), { cause: error });
  });
}

/** How many connections the gateway has, of whatever kind. */
async function connectionsOf({ url }: GatewayProcess): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  return [...metrics.matchAll(/^taskwire_connections(?:\{[^}]*\})? (\d+)/gm)]
    .reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Three tabs that share, and which of them leads. */
async function three({ gateway, open }: Trial) {
  await gateway.post("job1", { kind: "created" });
  const tabs = [await open(), await open(), await open()];
  await all("all are live", tabs, "isLive");
  const roles = await tellOf(tabs, "client.tab");
  assertEquals(roles.toSorted(), ["following", "following", "leading"]);
  assertEquals(await connectionsOf(gateway), 1);
  const leader = tabs[roles.indexOf("leading")];
  assert(leader !== undefined);
  return { leader, others: tabs.filter((tab) => tab !== leader) };
}

/** The leader goes while a status is written: the others are told of it, and of what follows, once. */
async function outlive(trial: Trial, how: "close" | "crash"): Promise<void> {
  const { gateway } = trial;
  const { leader, others } = await three(trial);
  await gateway.post("job1", { kind: "started" });
  await Promise.all([
    leader[how](),
    (async () => {
      for (const kind of ["paused", "resumed", "paused", "resumed"]) await gateway.post("job1", { kind });
    })(),
  ]);
  await all("one of them leads", others, "isLive && client.state.kind === 'open'");
  await gateway.post("job1", { kind: "completed" });
  await all("all were told of the end", others, "told.at(-1) === 'completed'");
  const told = ["pending", "running", "paused", "running", "paused", "running", "completed"];
  assertEquals(await tellOf(others, "told"), [told, told]);
  assertEquals((await tellOf(others, "client.tab")).toSorted(), ["following", "leading"]);
  await eventually("the gateway has one connection", async () => await connectionsOf(gateway) === 1);
}

const TRIALS = [
  ["chromium", "close"],
  ["chromium", "crash"],
  ["firefox", "close"],
] as const;

for (const [browser, how] of TRIALS) {
  Deno.test({
    name:
      `in ${browser} three tabs have one connection, and two go on with one when the leader's is gone (${how})`,
    // Their drivers keep timers and pipes for a moment after the browser has gone.
    sanitizeOps: false,
    sanitizeResources: false,
    fn: () => withTabs(browser, (trial) => outlive(trial, how)),
  });
}

Deno.test({
  name: "when the gateway is killed and comes back all tabs go on, and one request of each is answered",
  sanitizeOps: false,
  sanitizeResources: false,
  fn: () =>
    withTabs("chromium", async (trial) => {
      const { gateway } = trial;
      const { leader, others } = await three(trial);
      const tabs = [leader, ...others];
      await gateway.kill();
      await all("all know", tabs, "!isLive && client.state.kind !== 'open'");
      await tellOf(tabs, "void (window.asked = client.getTask('job1').then(({ status }) => status))");
      await gateway.start();
      await gateway.post("job1", { kind: "started" });
      await all("all were told", tabs, "isLive && told.at(-1) === 'running'");
      assertEquals(await tellOf(tabs, "told"), Array(3).fill(["pending", "running"]));
      assertEquals((await tellOf(tabs, "asked")).length, 3);
      assertEquals(await connectionsOf(gateway), 1);
    }),
});

Deno.test({
  name: "dashboards in several tabs have one connection, and all move",
  sanitizeOps: false,
  sanitizeResources: false,
  fn: () =>
    withGateway({}, async (gateway) => {
      await using browser = await browserOf("chromium", gateway.url);
      await gateway.post("job1", { kind: "progress", total: 4, completed: 1 });
      const tabs = [await browser.open(), await browser.open()];
      await all("all show it", tabs, "document.body.innerText.includes('25')");
      await gateway.post("job1", { kind: "progress", total: 4, completed: 3 });
      await all("all show that it moved", tabs, "document.body.innerText.includes('75')");
      assertEquals(await connectionsOf(gateway), 1);
    }),
});
