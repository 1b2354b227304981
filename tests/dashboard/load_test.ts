import { assert, assertEquals } from "@std/assert";
import type { Browser, Page } from "playwright-core";
import { BareNats } from "../gateway/bare_nats.ts";
import { type GatewayProcess, withGateway } from "../gateway/gateway_process.ts";
import { startNatsServer } from "../nats_server.ts";
import { eventually } from "../eventually.ts";
import { openDashboard } from "./dashboard_page.ts";

const TASKS = 10_000;
const EVENTS_PER_SECOND = 1_000;
/** How long the page is watched, ms, and scrolled through meanwhile. */
const WATCHED_MS = 6_000;
/** The longest that the page may be busy without a pause, ms of its own thread's time. */
const LONGEST_MS = 100;
/** How often events are published, ms. */
const TICK_MS = 20;
/** Of the events that are due while the page is watched, the gateway must have followed so many meanwhile. */
const LEAST_SHARE = 0.9;

Deno.test({
  name: "with 10,000 tasks and 1,000 events a second the page never stands still for 100 ms",
  // The browser's driver keeps timers and pipes for a moment.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    await using nats = await startNatsServer();
    await using bare = await BareNats.connect(nats.url);
    await withGateway({ settings: { NATS_URL: nats.url } }, async (gateway) => {
      for (let i = 0; i < TASKS; i++) {
        publish(bare, i, "created", { name: `Task ${i}`, tags: [`t${i % 50}`], total: 1_000 });
      }
      await bare.flush();
      await eventually("all are known", async () => await gateway.metric("taskwire_tasks") === TASKS, 60_000);
      await using dashboard = await openDashboard(`${gateway.url}/`);
      const { page, browser, complaints } = dashboard;
      await eventually(
        "all are listed",
        async () => (await page.innerText("footer")).includes("10,000 of 10,000"),
        60_000,
      );
      const moves = load(bare);
      const tasks = await traced(browser, page, () => watch(page));
      const due = moves.stop();
      const followed = await followedBy(gateway);
      assert(due >= EVENTS_PER_SECOND * WATCHED_MS / 1_000, `${due} events were due`);
      assert(followed >= due * LEAST_SHARE, `the gateway followed ${followed} of ${due} events`);
      assert(tasks.length > 100, "the trace has the page's thread");
      const longest = Math.max(...tasks);
      assert(longest <= LONGEST_MS, `the longest task took ${longest} ms`);
      assert(await page.locator(".rows .row").count() < 60, "few rows are in the page");
      assertEquals(complaints, []);
    });
  },
});

function publish(bare: BareNats, i: number, kind: string, body: object): void {
  bare.publish(`taskwire.task.task_${i}.${kind}`, JSON.stringify(body));
}

/**
 * Publishes progress of all tasks in turn, now and then a status, at the rate that the clock says, however late a turn of
 * ours comes; `stop` returns how many events were due until then.
 */
function load(bare: BareNats): { readonly stop: () => number } {
  let published = 0;
  const startMs = performance.now();
  const dueNow = () => Math.floor((performance.now() - startMs) / 1_000 * EVENTS_PER_SECOND);
  const timer = setInterval(() => {
    for (const due = dueNow(); published < due; published++) {
      const i = (published * 7_919) % TASKS;
      const completed = Math.floor(published / TASKS) + 1;
      if (published % 10 === 0) publish(bare, i, published % 20 === 0 ? "paused" : "resumed", {});
      else publish(bare, i, "progress", { total: 1_000, completed });
    }
  }, TICK_MS);
  return {
    stop() {
      clearInterval(timer);
      return dueNow();
    },
  };
}

/** How many of the events that are published meanwhile the gateway has followed. */
async function followedBy(gateway: GatewayProcess): Promise<number> {
  let sum = 0;
  for (const kind of ["progress", "paused", "resumed"]) {
    sum += await gateway.metric(`taskwire_events_total{kind="${kind}"}`);
  }
  return sum;
}

/** What somebody does meanwhile: looks, scrolls far, filters. */
async function watch(page: Page): Promise<void> {
  const untilMs = performance.now() + WATCHED_MS;
  await page.fill("#search", "task 1");
  await page.fill("#search", "");
  for (let top = 0; performance.now() < untilMs; top = (top + 40_000) % (TASKS * 56)) {
    await page.evaluate(`document.querySelector(".rows").scrollTop = ${top}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

type TraceEvent = {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  /** What the task took of its thread's own time, µs: not what other processes took of the machine's. */
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
};

/** How long each task of the page's main thread took while `run` did, ms. */
async function traced(browser: Browser, page: Page, run: () => Promise<void>): Promise<readonly number[]> {
  await browser.startTracing(page, { categories: ["toplevel", "__metadata"] });
  await run();
  // Chromium's own format.
  const { traceEvents }: { traceEvents: readonly TraceEvent[] } = JSON.parse(
    new TextDecoder().decode(await browser.stopTracing()),
  );
  const threads = new Set(
    traceEvents.filter(({ name, args }) => name === "thread_name" && args?.name === "CrRendererMain")
      .map(({ pid, tid }) => `${pid}/${tid}`),
  );
  return traceEvents.filter(({ ph, pid, tid, tdur }) =>
    ph === "X" && tdur !== undefined && threads.has(`${pid}/${tid}`)
  ).map(({ tdur = 0 }) => tdur / 1_000);
}
