import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Page } from "playwright-core";
import { connectWorker } from "../../src/worker/task_reporter.ts";
import { BareNats } from "../gateway/bare_nats.ts";
import { eventually } from "../eventually.ts";
import { openDashboard, seriousFindings } from "./dashboard_page.ts";
import { assertQuiet, badge, inBrowser, percentage, row, status } from "./in_browser.ts";

inBrowser("a task moves in the list as its worker goes on, and ends there", async ({ nats, gateway }) => {
  await using dashboard = await openDashboard(`${gateway.url}/`);
  const { page } = dashboard;
  await page.waitForSelector(".empty");
  assertEquals(await page.locator(".empty pre").count(), 3);
  assertStringIncludes(await page.innerText(".empty"), `${gateway.url}/api/tasks/job1/events`);

  await using worker = await connectWorker(nats.url, { progressIntervalMs: 0 });
  const steps = Array.from({ length: 5 }, () => Promise.withResolvers<void>());
  const running = worker.run("job1", { name: "Import <b>May</b>", tags: ["eu"] }, async (task) => {
    for await (const step of task.track(steps)) await step.promise;
    return { rows: 5 };
  });
  await page.waitForSelector(row("job1"));
  assertStringIncludes(await page.innerText(row("job1")), "Import <b>May</b>");
  const seen: number[] = [];
  for (const [i, { resolve }] of steps.entries()) {
    resolve();
    await eventually(`${i + 1} of 5`, async () => await percentage(page, "job1") >= (i + 1) * 20);
    seen.push(await percentage(page, "job1"));
  }
  await running;
  assertEquals(seen, [20, 40, 60, 80, 100]);
  await eventually("it ended", async () => await status(page, row("job1")) === "completed");
  assertEquals(await badge(page), "live");
  assertQuiet(dashboard);
});

/** The kinds of the timeline's lines. */
async function timeline(page: Page): Promise<unknown> {
  return await page.evaluate(
    `[...document.querySelectorAll(".timeline > ol > li")].map((li) => li.dataset.kind)`,
  );
}

/** A colour of the first such element, as `rgb(r, g, b)`. */
async function colourOf(page: Page, selector: string, property: string): Promise<string> {
  const colour = String(
    await page.evaluate(`getComputedStyle(document.querySelector(${JSON.stringify(selector)})).${property}`),
  );
  assert(/^rgb\(\d+, \d+, \d+\)$/.test(colour), `${selector}: ${colour}`);
  return colour;
}

const IN_EACH_STATUS: Readonly<Record<string, readonly unknown[]>> = {
  running: [{ kind: "progress", total: 10, completed: 3 }],
  pending: [{ kind: "created" }],
  paused: [{ kind: "paused" }],
  retrying: [{ kind: "retrying", attempt: 2, error: "connection reset" }],
  cancelling: [{ kind: "cancel_requested" }],
  failed: [{ kind: "failed", error: { message: "disk full", code: "ENOSPC" } }],
  cancelled: [{ kind: "cancelled", reason: "too slow" }],
  completed: [{ kind: "completed", progress: { total: 1, completed: 1 } }],
};

for (const colorScheme of ["light", "dark"] as const) {
  inBrowser(
    `each status has its own shape, and a colour that stands out, in ${colorScheme}`,
    async ({ gateway }) => {
      for (const [id, events] of Object.entries(IN_EACH_STATUS)) await gateway.post(id, events);
      await using dashboard = await openDashboard(`${gateway.url}/`, { colorScheme });
      const { page } = dashboard;
      const shapes = new Set<string | null>();
      const paper = await colourOf(page, "body", "backgroundColor");
      for (const id of Object.keys(IN_EACH_STATUS)) {
        await page.waitForSelector(row(id));
        assertEquals(await status(page, row(id)), id);
        assertStringIncludes(await page.innerText(`${row(id)} [data-status]`), id);
        shapes.add(await page.getAttribute(`${row(id)} .shape path`, "d"));
        const colour = await colourOf(page, `${row(id)} .shape`, "color");
        assert(contrast(colour, paper) >= 3, `${id}: ${colour} on ${paper}`);
      }
      assertEquals(shapes.size, Object.keys(IN_EACH_STATUS).length);
      assertEquals(await seriousFindings(page), []);
      await page.goto(`${gateway.url}/#/task/failed`);
      await page.waitForSelector("[data-kind=failed]");
      assertStringIncludes(await page.innerText("main"), "disk full");
      assertEquals(await seriousFindings(page), []);
      await page.goto(`${gateway.url}/#/operator`);
      await page.waitForSelector("[data-number=connections]");
      assertEquals(await seriousFindings(page), []);
      assertQuiet(dashboard);
    },
  );
}

/** The contrast of two colours as `rgb(r, g, b)`: WCAG 2, 1 to 21. */
function contrast(one: string, other: string): number {
  const [light = 0, dark = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(colour: string): number {
  const [r = 0, g = 0, b = 0] = (colour.match(/[\d.]+/g) ?? []).map((part) => {
    const share = Number(part) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

inBrowser(
  "the page of a task has its attempts, children, events, and itself as it was",
  async ({ gateway }) => {
    await gateway.post("job1", [
      { kind: "created", name: "Import", total: 10, tags: ["eu"] },
      { kind: "started" },
      { kind: "progress", total: 10, completed: 2 },
      { kind: "progress", total: 10, completed: 4 },
      { kind: "retrying", attempt: 2, error: "connection reset" },
      { kind: "started", attempt: 2 },
      { kind: "completed", attempt: 2, result: { rows: 10 }, progress: { total: 10, completed: 10 } },
    ]);
    await gateway.post("part1", { kind: "created", parent_id: "job1" });
    await using dashboard = await openDashboard(`${gateway.url}/#/task/job1`);
    const { page } = dashboard;
    await page.waitForSelector(".timeline [data-kind=completed]");
    const kinds = await timeline(page);
    assertEquals(kinds, ["created", "started", "progress", "retrying", "started", "completed"]);
    assertStringIncludes(await page.innerText(".attempts"), "connection reset");
    await page.waitForSelector(`.children ${row("part1")}`);
    assertStringIncludes(await page.innerText(".result"), '"rows": 10');
    assertEquals(
      await page.locator(".log, .ancestor, [role=alert]").count(),
      0,
      "this gateway keeps no logs",
    );

    // Back through its events: past its end and the second attempt's start, and to the progress of the first.
    const earlier = page.getByRole("button", { name: "Earlier event" });
    for (let i = 0; i < 3; i++) await earlier.click();
    await eventually("as it was", async () => await status(page, ".facts") === "retrying");
    await page.locator(".timeline summary").click();
    await page.getByRole("button", { name: "Look at position 3" }).click();
    await eventually(
      "at 20%",
      async () => await page.getAttribute(".facts [role=progressbar]", "aria-valuenow") === "20",
    );
    assertEquals(await status(page, ".facts"), "running");
    await eventually("it can be linked to", () => page.url().includes("at=3"));
    assertMatch(await page.innerText(".then"), /^As it was at position 3, \d\d:\d\d:\d\d$/);
    await eventually("it had no child then", async () => await page.locator(".children").count() === 0);

    // With the keys of a slider, and by a link.
    await page.getByRole("slider").focus();
    await page.keyboard.press("ArrowRight");
    await eventually(
      "at 40%",
      async () => await page.getAttribute(".facts [role=progressbar]", "aria-valuenow") === "40",
    );
    await page.reload();
    await eventually(
      "still",
      async () => await page.getAttribute(".facts [role=progressbar]", "aria-valuenow") === "40",
    );
    await page.getByRole("button", { name: "Back to now" }).click();
    await eventually("now", async () => await status(page, ".facts") === "completed");
    await page.waitForSelector(`.children ${row("part1")}`);
    assertQuiet(dashboard);
  },
);

inBrowser("the list can be seen as it was, and comes back to now", async ({ gateway }) => {
  await gateway.post("a", { kind: "started" });
  await gateway.post("b", { kind: "started" });
  await gateway.post("a", { kind: "completed" });
  await using dashboard = await openDashboard(`${gateway.url}/`);
  const { page } = dashboard;
  await eventually("it is there", async () => await status(page, row("a")).catch(() => null) === "completed");
  const slider = page.getByRole("slider");
  await slider.focus();
  await page.keyboard.press("Home");
  await eventually("only the first", async () => await page.locator(".rows .row").count() === 1);
  assertEquals(await status(page, row("a")), "running");
  assertEquals(await page.innerText(".then"), "As they were at position 1");
  await gateway.post("c", { kind: "started" });
  await page.keyboard.press("ArrowRight");
  await eventually("two", async () => await page.locator(".rows .row").count() === 2);
  await page.getByRole("button", { name: "Back to now" }).click();

  // Dragged with a mouse, from now to the very beginning, without letting go in between.
  const box = await slider.boundingBox();
  assert(box !== null);
  const y = box.y + box.height / 2;
  await page.mouse.move(box.x + box.width - 8, y);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width / 2, y, { steps: 5 });
  await page.mouse.move(box.x + 8, y, { steps: 5 });
  await eventually("only the first again", async () => await page.locator(".rows .row").count() === 1);
  await page.mouse.up();
  await eventually("it can be linked to", () => page.url().includes("at=1"));
  await page.getByRole("button", { name: "Back to now" }).click();
  await eventually("all", async () => await page.locator(".rows .row").count() === 3);
  assertEquals(await status(page, row("a")), "completed");
  assertQuiet(dashboard);
});

inBrowser("a cancel asks once more, and reaches the worker", async ({ nats, gateway }) => {
  await using worker = await connectWorker(nats.url);
  const started = Promise.withResolvers<void>();
  const ended = worker.run("job1", {}, (task) => {
    started.resolve();
    return new Promise((_resolve, reject) => {
      task.signal.addEventListener("abort", () => reject(task.signal.reason), { once: true });
    });
  }).catch(() => "cancelled");
  await started.promise;
  await using dashboard = await openDashboard(`${gateway.url}/#/task/job1`);
  const { page } = dashboard;
  await page.getByRole("button", { name: "Cancel task" }).click();
  assertEquals(await seriousFindings(page), []);
  await page.getByRole("button", { name: "Keep it running" }).click();
  await eventually("it runs", async () => await status(page, ".facts") === "running");
  await page.getByRole("button", { name: "Cancel task" }).click();
  await page.getByLabel("Reason").fill("too slow");
  await page.getByRole("button", { name: "Yes, cancel it" }).click();
  assertEquals(await ended, "cancelled");
  await eventually("it is cancelled", async () => await status(page, ".facts") === "cancelled");
  await eventually("the reason is told", async () => (await page.innerText("main")).includes("too slow"));
  assertQuiet(dashboard);
});

inBrowser(
  "a gateway that is killed loses no status: the page says so, comes back, and has them all",
  async (world) => {
    const { nats, gateway } = world;
    await using bare = await BareNats.connect(nats.url);
    const say = (id: string, kind: string, body = {}) =>
      bare.publish(`taskwire.task.${id}.${kind}`, JSON.stringify(body));
    say("job1", "started");
    say("job2", "started");
    await bare.flush();
    await using dashboard = await openDashboard(`${gateway.url}/`);
    const { page, complaints } = dashboard;
    await page.waitForSelector(row("job2"));
    await eventually("live", async () => await badge(page) === "live");
    await gateway.kill();
    await eventually(
      "the page says so",
      async () => ["reconnecting", "connecting"].includes(await badge(page) ?? ""),
    );
    const words = ["paused", "resumed", "paused", "resumed"];
    for (const kind of words) {
      say("job1", kind);
    }
    say("job1", "completed");
    say("job2", "failed", { error: "disk full" });
    say("job3", "started");
    await bare.flush();
    await eventually(
      "the list says that it is not current",
      async () => (await page.innerText(".list > footer")).includes("Not current"),
    );
    await eventually(
      "it counts down",
      async () => /Reconnecting in \d+ s/.test(await page.innerText("[data-badge]")),
    );
    await gateway.start();
    await eventually("live again", async () => await badge(page) === "live", 60_000);
    await eventually("all is there", async () => await page.locator(".rows .row").count() === 3);
    await eventually("it is current", async () => !(await page.innerText("footer")).includes("Not current"));
    assertEquals(
      await Promise.all(["job1", "job2", "job3"].map((id) => status(page, row(id)))),
      ["completed", "failed", "running"],
    );
    await page.locator(`${row("job1")} a`).click();
    await page.waitForSelector(".timeline [data-kind=completed]");
    const kinds = await timeline(page);
    assertEquals(kinds, ["started", ...words, "completed"]);
    // A browser complains of each connection that fails, and of nothing else.
    assertEquals(complaints.filter((text) => !/WebSocket|ERR_CONNECTION/.test(text)), []);
  },
);

inBrowser("keys move through the list, open, go back and search; filters narrow it", async ({ gateway }) => {
  for (const id of ["a", "b", "c"]) {
    await gateway.post(id, { kind: "created", name: `Task ${id}`, tags: [`t-${id}`] });
  }
  await gateway.post("b", { kind: "failed", error: "no" });
  await using dashboard = await openDashboard(`${gateway.url}/`);
  const { page } = dashboard;
  await page.waitForSelector(row("a"));
  for (const key of ["j", "j", "k", "j"]) await page.keyboard.press(key);
  await eventually("b is chosen", async () => await page.getAttribute(".chosen", "data-task") === "b");
  await page.keyboard.press("Enter");
  await page.waitForSelector("[data-page=task]");
  await page.keyboard.press("Escape");
  await page.waitForSelector("[data-page=list]");
  await eventually("b is chosen", async () => await page.getAttribute(".chosen", "data-task") === "b");
  await page.keyboard.press("/");
  await eventually(
    "the search has it",
    async () => await page.evaluate("document.activeElement.id") === "search",
  );
  await page.keyboard.type("task c j");
  await eventually("nothing", async () => (await page.innerText("main")).includes("No task fits"));
  await page.keyboard.press("Backspace");
  await page.keyboard.press("Backspace");
  await eventually("only c", async () => await page.locator(".rows .row").count() === 1);
  await page.getByRole("button", { name: "Clear filters" }).click();
  await page.locator("[data-count=failed]").click();
  await eventually("only b", async () => await page.locator(".rows .row").count() === 1);
  assertEquals(await page.getAttribute(".rows .row", "data-task"), "b");
  await eventually("it can be linked to", () => page.url().includes("status=failed"));
  await page.locator("[data-count=failed]").click();
  await page.selectOption("select", "t-a");
  await eventually("only a", async () => await page.getAttribute(".rows .row", "data-task") === "a");
  assertQuiet(dashboard);
});

inBrowser("it speaks Chinese to who prefers it, and fits a narrow phone", async ({ gateway }) => {
  await gateway.post("任务".replace(/\W+/g, "job"), { kind: "progress", total: 10, completed: 3 });
  const viewport = { width: 360, height: 640 };
  await using dashboard = await openDashboard(`${gateway.url}/`, { viewport, locale: "zh-CN" });
  const { page } = dashboard;
  await page.waitForSelector(row("job"));
  assertStringIncludes(await page.innerText("main"), "运行中");
  assertEquals(await page.evaluate("document.documentElement.lang"), "zh-CN");
  for (const hash of ["#/", "#/task/job", "#/operator"]) {
    await page.goto(`${gateway.url}/${hash}`);
    await page.waitForSelector(hash === "#/operator" ? ".numbers" : "[role=progressbar]");
    for (const element of ["documentElement", "querySelector('main')"]) {
      const widest = Number(await page.evaluate(`document.${element}.scrollWidth`));
      assert(widest <= viewport.width, `${hash}: ${widest}`);
    }
  }
  assertQuiet(dashboard);
});

inBrowser("what a worker writes and what a link says is shown as text, never run", async ({ gateway }) => {
  const evil = `<img src=x onerror="document.title='run'">`;
  await gateway.post("job1", [
    { kind: "created", name: evil, type: evil.slice(0, 64) },
    { kind: "progress", current: evil, status: evil },
    { kind: "failed", error: { message: evil } },
  ]);
  await using dashboard = await openDashboard(`${gateway.url}/?q=${encodeURIComponent(evil)}#/task/job1`);
  const { page } = dashboard;
  await page.waitForSelector(".timeline [data-kind=failed]");
  await page.goto(`${gateway.url}/#/?q=${encodeURIComponent(evil)}&tag=${encodeURIComponent(evil)}`);
  await page.waitForSelector("#search");
  assertEquals(await page.inputValue("#search"), evil);
  assertEquals(await page.locator("img").count(), 0);
  assert(await page.title() !== "run");
  assertQuiet(dashboard);
});

inBrowser("an operator sees who is connected and what was rejected, as text", async ({ nats, gateway }) => {
  await using bare = await BareNats.connect(nats.url);
  bare.publish("taskwire.task.job1.exploded", "<b>boom</b>");
  await bare.flush();
  await using dashboard = await openDashboard(`${gateway.url}/#/operator`);
  const { page } = dashboard;
  const number = (name: string) => page.innerText(`[data-number=${name}] dd`);
  await page.waitForSelector("tbody tr");
  assertStringIncludes(await page.innerText("tbody tr"), "<b>boom</b>");
  assertStringIncludes(await page.innerText("tbody tr"), "task.job1.exploded");
  await eventually("all is counted", async () => {
    return await number("connections") === "1" && await number("rejected") === "1" &&
      await number("framesSent") !== "—";
  });
  assertEquals(await seriousFindings(page), []);
  assertQuiet(dashboard);
});

inBrowser(
  "a task that nobody knows yet is said to be none, and shown as soon as it reports",
  async ({ gateway }) => {
    await using dashboard = await openDashboard(`${gateway.url}/#/task/job1`);
    const { page } = dashboard;
    await eventually("there is none", async () => (await page.innerText("main")).includes("No task job1"));
    await gateway.post("job1", { kind: "progress", total: 4, completed: 1 });
    await eventually("there it is", async () => await status(page, "main").catch(() => null) === "running");
    await page.waitForSelector(".timeline [data-kind=progress]");
    assertQuiet(dashboard);
  },
);

inBrowser(
  "nothing serious is wrong with the first page, nor with the past, wide or narrow",
  async ({ gateway }) => {
    await using dashboard = await openDashboard(`${gateway.url}/`);
    const { page } = dashboard;
    await page.waitForSelector(".empty");
    assertEquals(await seriousFindings(page), []);
    for (const id of ["a", "b", "c"]) await gateway.post(id, { kind: "progress", total: 3, completed: 1 });
    await page.goto(`${gateway.url}/#/?at=2`);
    await eventually("the past", async () => await page.locator(".rows .row").count() === 2);
    assertEquals(await seriousFindings(page), []);
    await page.setViewportSize({ width: 360, height: 640 });
    await eventually("narrow rows", async () => await page.locator(".rows .row").first().isVisible());
    assertEquals(await seriousFindings(page), []);
    await page.goto(`${gateway.url}/#/task/a?at=1`);
    await page.waitForSelector(".then");
    assertEquals(await seriousFindings(page), []);
    assertQuiet(dashboard);
  },
);

inBrowser("the past goes as far back as the log does", async ({ gateway }) => {
  for (let completed = 1; completed <= 30; completed++) {
    await gateway.post("job1", { kind: "progress", total: 30, completed });
  }
  await using dashboard = await openDashboard(`${gateway.url}/`);
  const { page } = dashboard;
  await page.waitForSelector(row("job1"));
  await page.getByRole("slider").focus();
  await page.keyboard.press("Home");
  await eventually("it is where the log begins", async () => await percentage(page, "job1") === 70);
  await eventually("it can be linked to", () => page.url().includes("at=21"));
  assertEquals(await page.getAttribute("[role=slider], [type=range]", "min"), "21");
  assertQuiet(dashboard);
}, { RETAIN_PER_SUBJECT: "10" });
