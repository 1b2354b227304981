import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Page } from "playwright-core";
import { eventually } from "../eventually.ts";
import { BareNats } from "../gateway/bare_nats.ts";
import { openDashboard } from "./dashboard_page.ts";
import { assertQuiet, badge, inBrowser, row } from "./in_browser.ts";

const THROUGHPUT = "Events a second";
const LAG = "Lag";
/** Where a line lies that is of nothing, and where one that is of the most; how far right the newest second is. */
const [FLOOR, TOP, RIGHT] = [24, 0, 120];

/** Has a task start, and make progress `hz` times a second until it is disposed. */
function load(bare: BareNats, hz: number): Disposable {
  bare.publish("taskwire.task.job1.started", "{}");
  let completed = 0;
  const timer = setInterval(() => {
    bare.publish("taskwire.task.job1.progress", JSON.stringify({ completed: ++completed }));
  }, 1_000 / hz);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** What is read out of a line, which is found by that as a picture. */
async function words(page: Page, label: string): Promise<string> {
  const line = page.locator(".top").getByRole("img", { name: new RegExp(`^${label}: `) });
  return (await line.getAttribute("aria-label") ?? "").slice(label.length + 2);
}

type Point = readonly [x: number, y: number];

/** The lines of a quantity as they are drawn, from left to right. */
async function runs(page: Page, label: string): Promise<readonly (readonly Point[])[]> {
  const drawn = await page.evaluate(
    `[...document.querySelectorAll('.top svg[aria-label^="${label}: "] polyline')].map((line) => line.getAttribute("points"))`,
  );
  assert(Array.isArray(drawn));
  return drawn.map((points) =>
    String(points).split(" ").map((pair): Point => {
      const [x = NaN, y = NaN] = pair.split(",").map(Number);
      return [x, y];
    })
  );
}

inBrowser(
  "the lines move with the load, and lie flat without it; their words say the same",
  async ({ nats, gateway }) => {
    await using bare = await BareNats.connect(nats.url);
    await using dashboard = await openDashboard(`${gateway.url}/`);
    const { page } = dashboard;
    const line = async () => (await runs(page, THROUGHPUT)).flat();
    await eventually("some seconds have passed", async () => (await line()).length >= 3);
    assertEquals((await line()).filter(([, y]) => y !== FLOOR), [], "flat");
    assertEquals(await runs(page, LAG), [], "no lag of nothing");
    assertEquals(await words(page, THROUGHPUT), "0/s now, at most 0/s in the last minute");
    assertEquals(await words(page, LAG), "nothing in the last minute");

    {
      using _moving = load(bare, 50);
      await eventually(
        "the line rises",
        async () => (await line()).slice(-2).every(([, y]) => y < FLOOR / 2),
      );
      await eventually("so late it is", async () => (await runs(page, LAG)).at(-1)?.at(-1)?.[0] === RIGHT);
      const isHighest = ([, y]: Point) => y === TOP;
      const before = (await line()).findIndex(isHighest);
      assert(before >= 0, "the most is at the top");
      const [x = NaN] = (await line()).find(isHighest) ?? [];
      await eventually("it goes on", async () => ((await line()).find(isHighest)?.[0] ?? x) !== x);
      assertMatch(await words(page, THROUGHPUT), /^[\d.]+\/s now, at most [\d.]+\/s in the last minute$/);
      assertMatch(await words(page, LAG), /^[\d.]+ m?s now, at most [\d.]+ m?s in the last minute$/);
    }

    await eventually(
      "it lies flat again",
      async () => (await line()).slice(-4).every(([, y]) => y === FLOOR),
    );
    assert((await line()).some(([, y]) => y === TOP), "what was is still seen");
    assertMatch(await words(page, THROUGHPUT), /^0\/s now, at most [1-9][\d.]*\/s in the last minute$/);
    assertMatch(await words(page, LAG), /^nothing now, at most [\d.]+ m?s in the last minute$/);
    assert((await runs(page, LAG)).flat().every(([x]) => x < RIGHT), "and no lag now");
    assertQuiet(dashboard);
  },
);

const HOUR_MS = 3_600_000;

for (const [how, clockAheadMs] of [["ahead", HOUR_MS], ["behind", -HOUR_MS]] as const) {
  inBrowser(`a browser whose clock is an hour ${how} shows no hour of lag`, async ({ nats, gateway }) => {
    await using bare = await BareNats.connect(nats.url);
    await using dashboard = await openDashboard(`${gateway.url}/`, { clockAheadMs });
    const { page } = dashboard;
    const wrongBy = Number(await page.evaluate("Date.now()")) - Date.now();
    assert(Math.abs(wrongBy - clockAheadMs) < 60_000, `its clock is ${wrongBy} ms ahead`);
    using _moving = load(bare, 50);
    await page.waitForSelector(row("job1"));
    const elapsed = async () => await page.innerText(`${row("job1")} .long`);
    const shown = new Set<string>();
    await eventually("3 s have passed for the task, by the gateway's clock", async () => {
      shown.add(await words(page, LAG));
      return /^([3-9](\.\d)?|\d\d) s$/.test(await elapsed());
    });
    // Seconds may pass on a machine that has much else to do.
    const wrong = [...shown].filter((words) =>
      !/^(nothing|[\d.]+ m?s)( now, at most [\d.]+ m?s)? in/.test(words)
    );
    assertEquals(wrong, []);
    assert([...shown].some((words) => /at most [1-9]/.test(words)), "what is late is shown as late");
    await eventually("live", async () => await badge(page) === "live");
    assertQuiet(dashboard);
  });
}
