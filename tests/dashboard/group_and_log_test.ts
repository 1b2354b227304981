import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Page } from "playwright-core";
import { connectPublisher, taskLog } from "../../src/worker/task_reporter.ts";
import type { GatewayProcess } from "../gateway/gateway_process.ts";
import { eventually } from "../eventually.ts";
import { openDashboard, seriousFindings } from "./dashboard_page.ts";
import { assertQuiet, inBrowser, percentage, row, status } from "./in_browser.ts";

const EXAMPLES = "src/plugins/examples";
const PLUGINS = { PLUGINS: `${EXAMPLES}/group_progress.ts,${EXAMPLES}/task_log.ts` };

const bar = async (page: Page) =>
  Number(await page.getAttribute(".facts [role=progressbar]", "aria-valuenow"));
/** Writes so many lines at once: those whose number is a hundred are loud. */
async function write({ url }: GatewayProcess, from: number, to: number): Promise<void> {
  const lines = Array.from({ length: to - from + 1 }, (_, i) => {
    const payload = { text: `line ${from + i}`, level: (from + i) % 100 === 0 ? "warn" : "info" };
    return { topic: "task:id:job1:log", payload };
  });
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`${url}/api/publish`, { method: "POST", headers, body: JSON.stringify(lines) });
  assertEquals(answer.status, 202, await answer.text());
}

const texts = async (page: Page) => await page.locator(".log .line span").allInnerTexts();

inBrowser(
  "a group's bar moves by its parts, which lie below it, and each leads to the other",
  async ({ gateway }) => {
    await gateway.post("all", [{ kind: "created", name: "All of it" }, { kind: "started" }]);
    for (
      const [id, parent_id, total] of [["small", "all", 10], ["large", "all", 90], [
        "within",
        "large",
        90,
      ]] as const
    ) {
      await gateway.post(id, [{ kind: "created", name: `Part ${id}`, parent_id, total }, {
        kind: "started",
      }]);
    }
    await using dashboard = await openDashboard(`${gateway.url}/#/task/all`);
    const { page } = dashboard;
    await page.waitForSelector(`.children ${row("large")}`);
    await gateway.post("small", { kind: "progress", completed: 5, total: 10 });
    await eventually("its own bar moves", async () => await percentage(page, "small") === 50);
    await eventually("and the whole by its weight", async () => await bar(page) === 5);
    await gateway.post("small", { kind: "completed" });
    await eventually("its end counts", async () => await bar(page) === 10);
    await eventually(
      "its status and how many are how far",
      async () => (await page.locator("[data-tally]").allInnerTexts()).join() === "1 running,1 completed",
    );
    assertEquals(await status(page, `.children ${row("small")}`), "completed");
    assertEquals(await page.locator(`.children ${row("within")}`).count(), 0);
    await page.getByRole("button", { name: "1 below Part large" }).click();
    await page.waitForSelector(`.children ${row("within")}`);
    await gateway.post("within", { kind: "progress", completed: 45, total: 90 });
    await eventually("what is within a part moves all above", async () => await bar(page) === 55);
    assertEquals(await seriousFindings(page), []);

    await page.click(`.children ${row("within")} a`);
    await page.waitForSelector("[data-ancestor=large]");
    await eventually(
      "the way up, with how far each is",
      async () => (await page.locator(".ancestor").allInnerTexts()).join() === "All of it55%,Part large50%",
    );
    await page.click("[data-ancestor=all] a");
    await page.waitForSelector(`.children ${row("small")}`);

    // The list, with each below its parent.
    await page.click(".task > nav a");
    await page.waitForSelector(row("within"));
    await page.click(".folded");
    await eventually("only what is on top", async () => await page.locator(".rows .row").count() === 1);
    await page.getByRole("button", { name: "2 below All of it" }).click();
    await page.getByRole("button", { name: "1 below Part large" }).click();
    const ids = () =>
      page.locator(".rows .row").evaluateAll((rows) => rows.map((one) => one.getAttribute("data-task")));
    await eventually("all, in order", async () => (await ids()).join() === "all,large,within,small");
    assertMatch(page.url(), /fold=1/);
    assertQuiet(dashboard);
  },
  PLUGINS,
);

inBrowser("a task's log is followed, read back page by page and sifted by level", async ({ gateway }) => {
  await gateway.post("job1", { kind: "started" });
  await using publisher = await connectPublisher(gateway.url);
  const log = taskLog(publisher, "job1");
  await write(gateway, 1, 450);
  await using dashboard = await openDashboard(`${gateway.url}/#/task/job1`);
  const { page } = dashboard;
  await page.waitForSelector(".log .line");
  assertEquals((await texts(page)).at(-1), "line 450");
  assertEquals(await page.locator(".log .line").count(), 200, "no more than a page");
  await log("<img src=x onerror=alert(1)>\u001b[31m red", "error");
  await eventually(
    "what comes",
    async () => (await texts(page)).at(-1) === "<img src=x onerror=alert(1)> red",
  );
  const lines = page.locator(".log .lines");
  const leftPx = () => lines.evaluate((box) => box.scrollHeight - box.scrollTop - box.clientHeight);
  assert(await leftPx() < 2, "the end is in view");

  await lines.evaluate((box) => box.scrollTop = 0);
  await eventually("what was before is read", async () => await page.locator(".log .line").count() > 350);
  await log("while reading");
  await eventually("it is there", async () => (await texts(page)).at(-1) === "while reading");
  assert(await leftPx() > 200, "who reads further up stays there");
  await lines.evaluate((box) => box.scrollTop = 0);
  await eventually("the first line", async () => (await texts(page))[0] === "line 1");
  assertEquals(await page.locator(".log .earlier").count(), 0);
  await page.click(".log .to-end");
  await eventually("the end again", async () => await leftPx() < 2);

  await page.selectOption(".log select", "warn");
  await eventually("the loud ones", async () => (await texts(page)).length === 5);
  assertEquals((await texts(page)).slice(0, 2), ["line 100", "line 200"]);
  await log("quiet");
  await log("loud", "warn");
  await eventually("of what comes too", async () => (await texts(page)).at(-1) === "loud");
  assertEquals((await texts(page)).length, 6);
  assertEquals(await seriousFindings(page), []);

  // More than the page holds: the oldest go, and come back when they are read.
  await page.selectOption(".log select", "debug");
  await eventually("the last page", async () => (await texts(page)).length === 200);
  await write(gateway, 451, 1_450);
  await eventually("the newest", async () => (await texts(page)).at(-1) === "line 1450");
  assertEquals(await page.locator(".log .line").count(), 1_000);
  await page.setViewportSize({ width: 390, height: 800 });
  const widest = Number(await page.evaluate("document.documentElement.scrollWidth"));
  assert(widest <= 390, `${widest}`);
  await fetch(`${gateway.url}/api/plugins/task_log/disable`, { method: "POST" });
  await eventually(
    "what is there no more is not shown",
    async () => await page.locator(".log").count() === 0,
  );
  assertEquals(await page.locator("[role=alert]").count(), 0);
  assertQuiet(dashboard);
}, { ...PLUGINS, RETAIN_PER_SUBJECT: "5000" });
