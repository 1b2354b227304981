import { assertEquals, assertStringIncludes } from "@std/assert";
import { openDashboard, seriousFindings } from "./dashboard_page.ts";
import { inBrowser, row } from "./in_browser.ts";

const OPERATOR = "operator-operator-1";
const READER = "reader-reader-reader";

inBrowser(
  "who looks has to show a token where the gateway asks for one, and sees what it is for",
  async ({ gateway }) => {
    const publish = (id: string, tag: string) =>
      fetch(`${gateway.url}/api/tasks/${id}/events`, {
        method: "POST",
        headers: { authorization: `Bearer ${OPERATOR}`, "content-type": "application/json" },
        body: JSON.stringify([{ kind: "created", tags: [tag] }, { kind: "started" }]),
      }).then((answer) => answer.body?.cancel());
    await publish("mine", "red");
    await publish("other", "blue");
    await using dashboard = await openDashboard(`${gateway.url}/`);
    const { page } = dashboard;

    const show = async (token: string): Promise<void> => {
      await page.fill("#token", token);
      await page.click(".sign-in button");
    };
    await page.waitForSelector("#token");
    assertEquals(await seriousFindings(page), []);
    await show("not a token");
    await page.waitForSelector("#refused");
    assertEquals(await seriousFindings(page), []);

    await show(READER);
    await page.waitForSelector(row("mine"));
    assertEquals(await page.locator(row("other")).count(), 0);
    assertEquals((await page.content()).includes(READER), false, "the token is nowhere in the page");
    await page.click(`a[href="#/operator"]`);
    await page.waitForSelector("[role=alert]");
    assertStringIncludes(await page.innerText("[role=alert]"), "403");

    // It is kept while the tab is open, and forgotten when told to.
    await page.reload();
    await page.waitForSelector(`[data-page="operator"]`);
    await page.click(".sign-out");
    await page.waitForSelector("#token");
    await show(OPERATOR);
    await page.waitForSelector(".operator .good");
  },
  { AUTH: "token", AUTH_TOKENS: `op:${OPERATOR}:admin,reader:${READER}:subscribe:task:tag:red` },
);
