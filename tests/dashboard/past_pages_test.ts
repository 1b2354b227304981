import { assert, assertEquals } from "@std/assert";
import type { Page } from "playwright-core";
import { eventually } from "../eventually.ts";
import { BareNats } from "../gateway/bare_nats.ts";
import { openDashboard } from "./dashboard_page.ts";
import { assertQuiet, inBrowser, row, type World } from "./in_browser.ts";

const TASKS = 2_500;

/** Has all tasks be created, one after the other, and then one more. */
async function made({ nats, gateway }: World): Promise<void> {
  await using bare = await BareNats.connect(nats.url);
  for (let i = 1; i <= TASKS + 1; i++) {
    const name = i === 7 ? "Needle" : `Task ${i}`;
    bare.publish(`taskwire.task.task_${i}.created`, JSON.stringify({ name }));
  }
  await bare.flush();
  await eventually(
    "all are known",
    async () => await gateway.metric("taskwire_tasks") === TASKS + 1,
    60_000,
  );
}

/** How the list says how much of it is there. */
async function footer(page: Page): Promise<string> {
  return await page.innerText(".list > footer p");
}

/** The rows that are in the page, and whether the list is scrolled to its end. */
type Screen = { readonly rows: readonly (readonly [id: string, place: number])[]; readonly isEnd: boolean };

/** Looks, and scrolls down by a screen. */
async function looked(page: Page): Promise<Screen> {
  const screen = await page.evaluate(`(async () => {
    for (let frames = 0; frames < 3; frames++) await new Promise(requestAnimationFrame);
    const box = document.querySelector(".rows");
    const screen = {
      rows: [...box.querySelectorAll(".row")].map((row) => [row.dataset.task, Number(row.ariaRowIndex)]),
      isEnd: box.scrollTop + box.clientHeight >= box.scrollHeight - 1,
    };
    box.scrollTop += box.clientHeight;
    return JSON.stringify(screen);
  })()`);
  return JSON.parse(String(screen));
}

/** Scrolls down, waiting where more is on the way; the places of all rows that were seen, by their tasks. */
async function scrolledThrough(page: Page): Promise<ReadonlyMap<string, number>> {
  const seen = new Map<string, number>();
  await eventually("the end", async () => {
    const { rows, isEnd } = await looked(page);
    assert(rows.length < 60, `${rows.length} rows are in the page`);
    for (const [id, place] of rows) seen.set(id, place);
    return isEnd && !(await footer(page)).includes("more");
  }, 60_000);
  return seen;
}

inBrowser("the list of the past goes on as it is scrolled through, to the very first task", async (world) => {
  await made(world);
  const viewport = { width: 1_200, height: 1_800 };
  await using dashboard = await openDashboard(`${world.gateway.url}/#/?at=${TASKS}`, { viewport });
  const { page } = dashboard;
  await eventually(
    "a page of it is there",
    async () => (await footer(page)).startsWith("1,000 of 1,000 loaded tasks · 2,500 then"),
  );
  assertEquals(
    await page.getAttribute(".rows .row", "data-task"),
    `task_${TASKS}`,
    "as it was before the last",
  );
  assertEquals(await page.getAttribute("[role=table]", "aria-rowcount"), "-1", "there are more");
  assertEquals(await page.locator(".chips b").first().innerText(), "1,000+");

  const seen = await scrolledThrough(page);
  assertEquals(seen.size, TASKS);
  for (let i = 1; i <= TASKS; i++) assertEquals(seen.get(`task_${i}`), TASKS - i + 2);
  assert((await footer(page)).startsWith("2,500 of 2,500 tasks"), await footer(page));
  assertEquals(await page.getAttribute("[role=table]", "aria-rowcount"), String(TASKS + 1));
  assertEquals(await page.locator(".chips b").first().innerText(), "2,500");
  assertQuiet(dashboard);
});

inBrowser("a task is found in the past on whatever page it is", async (world) => {
  await made(world);
  await using dashboard = await openDashboard(`${world.gateway.url}/#/?at=${TASKS}&q=needle`);
  const { page } = dashboard;
  await page.waitForSelector(row("task_7"));
  assertEquals(await page.locator(".rows .row").count(), 1);
  assert((await footer(page)).startsWith("1 of 2,500 tasks"), await footer(page));
  assertQuiet(dashboard);
});
