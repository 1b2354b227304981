import { assert, assertEquals, assertMatch } from "@std/assert";
import { backTest } from "../../src/examples/back_test.ts";
import { readCandles } from "../../src/examples/candle.ts";
import { connectPublisher, connectWorker } from "../../src/worker/task_reporter.ts";
import { eventually } from "../eventually.ts";
import { openDashboard, seriousFindings } from "./dashboard_page.ts";
import { assertQuiet, inBrowser } from "./in_browser.ts";

const CROSSING = { fast: 8, slow: 21, cash: 10_000, fee: 0.001 };

inBrowser(
  "candles and a back-test are watched live, as a table and as a chart",
  async ({ nats, gateway }) => {
    await gateway.post("job1", { kind: "started" });
    await using dashboard = await openDashboard(`${gateway.url}/`);
    const { page } = dashboard;
    await page.fill("#search", "data:candles");
    await page.waitForSelector(".to-channel");
    await page.press("#search", "Enter");
    await page.waitForSelector("[data-topic='data:candles'][data-live=true]");
    assertMatch(await page.innerText("main"), /No value yet/);

    await using publisher = await connectPublisher(nats.url);
    const candles = (await readCandles()).slice(0, 120);
    for (const { symbol, ...payload } of candles) await publisher.send("data:candles", payload, symbol);
    const close = (symbol: string) => candles.findLast((candle) => candle.symbol === symbol)?.close ?? 0;
    const cell = async (key: string): Promise<number> =>
      Number((await page.locator(`[data-key=${key}] td`).nth(4).innerText()).replaceAll(",", ""));
    await eventually("the last close of each", async () => {
      if (await page.locator("tbody tr").count() !== 6) return false;
      return await cell("BTCUSDT") === close("BTCUSDT") && await cell("ADAUSDT") === close("ADAUSDT");
    });
    await page.click(".past-of");
    const drawn = () => page.locator(".chart .up, .chart .down").count();
    await eventually(
      "what was merged for who is slow is in the past: a candle each",
      async () => await drawn() === 20,
    );
    await page.click("[data-key=BTCUSDT] button");
    const words = () => page.getAttribute(".chart svg", "aria-label");
    await eventually(
      "the chosen one is drawn",
      async () => (await words())?.startsWith("BTCUSDT · close:") === true,
    );
    await page.selectOption(".channel select", "volume");
    await eventually(
      "another number is a line",
      async () => await page.locator(".chart .line").count() === 1,
    );
    assertEquals(await seriousFindings(page), []);

    await page.click(".channel > nav a");
    await page.waitForSelector("[data-channel='data:candles']");
    assertEquals(await page.innerText("[data-channel='data:candles'] .number"), "6");
    assertEquals(await seriousFindings(page), []);
    await page.fill("#topic", "no topic");
    await page.press("#topic", "Enter");
    assertMatch(await page.innerText(".channels [role=alert]"), /such as data:candles/);
    await page.fill("#topic", "strategy:crossing");
    await page.press("#topic", "Enter");
    await page.waitForSelector("[data-topic='strategy:crossing'][data-live=true]");

    await using worker = await connectWorker(nats.url);
    const test = { name: "crossing", symbol: "BTCUSDT", crossing: CROSSING, perSecond: Infinity };
    const { equity } = await backTest({ worker, publisher }, await readCandles(), test);
    const shown = async () => Number((await page.innerText(".chart b").catch(() => "")).replaceAll(",", ""));
    await eventually("the equity it ended with", async () => Math.abs(await shown() - equity) < 1e-3);
    await page.reload();
    await page.waitForSelector(".chart");
    await page.click(".past-of");
    await eventually("all of the past", async () => (await words())?.includes("400 values") === true);
    assert(
      await page.locator(".chart .mark.buy").count() > 0 &&
        await page.locator(".chart .mark.sell").count() > 0,
    );
    assertEquals(await seriousFindings(page), []);
    await page.setViewportSize({ width: 360, height: 640 });
    const widest = Number(await page.evaluate("document.documentElement.scrollWidth"));
    assert(widest <= 360, `${widest}`);
    assertQuiet(dashboard);
  },
);

inBrowser("a channel that cannot be, or is nobody's to follow, says so", async ({ gateway }) => {
  await using dashboard = await openDashboard(`${gateway.url}/#/channel/nothing:a`, { locale: "zh-CN" });
  const { page } = dashboard;
  await page.waitForSelector(".channel [role=alert]");
  assertMatch(await page.innerText(".channel [role=alert]"), /无法加载.*TOPIC_NOT_FOUND/s);
  assertMatch(await page.innerText(".top nav"), /频道/);
  assertQuiet(dashboard);
});
