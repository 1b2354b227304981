import { assert, assertEquals } from "@std/assert";
import type { Page } from "playwright-core";
import { environment } from "../cli/cli_process.ts";
import { openDashboard } from "../dashboard/dashboard_page.ts";
import { assertQuiet, inBrowser, row, status } from "../dashboard/in_browser.ts";
import { eventually } from "../eventually.ts";
import { ROOT } from "../gateway/gateway_process.ts";

const STEPS = "for i in 1 2 3; do echo $i/3; sleep 1; done";

/** `deno task cli run job1 -- sh -c <script>`, as the README has it; resolves with what it ended with and said. */
async function run(
  script: string,
  url: string,
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "cli", "run", "job1", "--", "sh", "-c", script],
    cwd: ROOT,
    clearEnv: true,
    env: { ...environment(), TASKWIRE_URL: url },
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** Has the page note each state that it shows of the task's row: its status, and what its bar says. */
async function note(page: Page): Promise<void> {
  await page.evaluate(`{
    globalThis.noted = [];
    const look = () => {
      const row = document.querySelector('${row("job1")}');
      if (row === null) return;
      const status = row.querySelector("[data-status]").dataset.status;
      const state = [status, row.querySelector("[role=progressbar]").ariaValueNow].join(" ");
      if (noted.at(-1) !== state) noted.push(state);
    };
    new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true });
  }`);
}

/** What was noted, in its order. */
async function noted(page: Page): Promise<readonly string[]> {
  const states = await page.evaluate("noted");
  assert(Array.isArray(states));
  return states.map(String);
}

/** The states in which the bar said something. */
const counted = (states: readonly string[]) => states.filter((state) => /\d$/.test(state));

inBrowser(
  "a program that is run as a task moves in the dashboard, and ends completed",
  async ({ gateway }) => {
    await using dashboard = await openDashboard(`${gateway.url}/`);
    const { page } = dashboard;
    await page.waitForSelector(".empty");
    await note(page);
    assertEquals(await run(STEPS, gateway.url), { code: 0, stdout: "1/3\n2/3\n3/3\n", stderr: "" });
    await eventually("it ended", async () => await status(page, row("job1")) === "completed");
    assertEquals(counted(await noted(page)), ["running 33", "running 67", "running 100", "completed 100"]);
    assertQuiet(dashboard);
  },
);

inBrowser("one that fails moves as far as it came, and its page tells the code", async ({ gateway }) => {
  await using dashboard = await openDashboard(`${gateway.url}/`);
  const { page } = dashboard;
  await page.waitForSelector(".empty");
  await note(page);
  const { code, stdout } = await run("for i in 1 2; do echo $i/3; sleep 1; done; exit 3", gateway.url);
  assertEquals({ code, stdout }, { code: 3, stdout: "1/3\n2/3\n" });
  await eventually("it ended", async () => await status(page, row("job1")) === "failed");
  assertEquals(counted(await noted(page)), ["running 33", "running 67", "failed 67"]);
  await page.locator(`${row("job1")} a`).click();
  await page.waitForSelector(".timeline [data-kind=failed]");
  assertEquals(await status(page, ".facts"), "failed");
  assertEquals(await page.innerText(".facts .failure code"), "3");
  assertEquals(await page.innerText(".facts .failure pre"), "sh exited with code 3");
  assertQuiet(dashboard);
});
