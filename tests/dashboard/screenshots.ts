/** Makes the README's pictures, in `src/dashboard/pictures/`: `deno run -A tests/dashboard/screenshots.ts`. */
import type { BrowserContextOptions, Page } from "playwright-core";
import { eventually } from "../eventually.ts";
import { backTest } from "../../src/examples/back_test.ts";
import { readCandles } from "../../src/examples/candle.ts";
import { group } from "../../src/examples/group.ts";
import { replayCandles } from "../../src/examples/replay_candles.ts";
import { connectPublisher, connectWorker } from "../../src/worker/task_reporter.ts";
import { type GatewayProcess, withGateway } from "../gateway/gateway_process.ts";
import { openDashboard } from "./dashboard_page.ts";

const FOLDER = new URL("../../src/dashboard/pictures/", import.meta.url);

/** A task as the pictures show it: items a second until it does `last`, if it does. */
type Story = {
  readonly id: string;
  readonly name: string;
  readonly tags: readonly string[];
  readonly total: number | null;
  readonly perSecond: number;
  readonly parent?: string;
  readonly current?: string;
  readonly before?: readonly unknown[];
  readonly last?: { readonly afterMs: number; readonly event: unknown };
};

const STORIES: readonly Story[] = [
  {
    id: "reindex-7",
    name: "Rebuild the search index",
    tags: ["search"],
    total: null,
    perSecond: 310,
    current: "shard 4",
  },
  {
    id: "export-eu-12",
    name: "Export orders, EU",
    tags: ["export", "eu"],
    total: 4_000,
    perSecond: 240,
    last: {
      afterMs: 4_000,
      event: { kind: "failed", error: { message: "disk full on /exports", code: "ENOSPC" } },
    },
  },
  {
    id: "import-may-3",
    name: "Import May, part 3",
    tags: ["import", "nightly"],
    total: 900,
    perSecond: 60,
    parent: "import-may",
  },
  {
    id: "import-may-2",
    name: "Import May, part 2",
    tags: ["import", "nightly"],
    total: 500,
    perSecond: 130,
    parent: "import-may",
    last: {
      afterMs: 3_500,
      event: { kind: "completed", result: { rows: 500 }, progress: { total: 500, completed: 500 } },
    },
  },
  {
    id: "import-may",
    name: "Import May",
    tags: ["import", "nightly"],
    total: 12_000,
    perSecond: 700,
    current: "orders-2026-05-17.csv",
    before: [
      { kind: "progress", total: 12_000, completed: 800, current: "orders-2026-05-01.csv" },
      { kind: "retrying", attempt: 2, error: { message: "connection reset by peer", code: "ECONNRESET" } },
      { kind: "started", attempt: 2 },
    ],
  },
  {
    id: "thumbs-88",
    name: "Make thumbnails",
    tags: ["media"],
    total: 2_400,
    perSecond: 90,
    last: { afterMs: 5_000, event: { kind: "paused" } },
  },
  {
    id: "backup-31",
    name: "Nightly backup",
    tags: ["nightly"],
    total: 64_000,
    perSecond: 2_900,
    current: "volume 2",
  },
  {
    id: "report-q2",
    name: "Quarterly report",
    tags: ["reports"],
    total: 40,
    perSecond: 4,
    last: { afterMs: 3_000, event: { kind: "cancel_requested", reason: "the numbers changed" } },
  },
  {
    id: "mail-201",
    name: "Send the newsletter",
    tags: ["mail"],
    total: 1_000,
    perSecond: 80,
    last: { afterMs: 2_000, event: { kind: "cancelled", reason: "wrong list" } },
  },
  {
    id: "train-5",
    name: "Train the model",
    tags: ["ml", "gpu"],
    total: 90,
    perSecond: 1.5,
    current: "epoch 4",
  },
];

const MOVED_MS = 8_000;
const STEP_MS = 200;

/** Has every story begin, and go on for a while. */
async function live(gateway: GatewayProcess): Promise<void> {
  for (const { id, name, tags, total, parent, before = [] } of STORIES.toReversed()) {
    const about = {
      name,
      tags,
      ...(total === null ? {} : { total }),
      ...(parent === undefined ? {} : { parent_id: parent }),
    };
    await gateway.post(id, [{ kind: "created", ...about }, { kind: "started" }, ...before]);
  }
  const startMs = performance.now();
  const ended = new Set<string>();
  for (let ms = 0; ms < MOVED_MS; ms = performance.now() - startMs) {
    for (const { id, total, perSecond, current, before, last } of STORIES) {
      if (ended.has(id)) continue;
      const attempt = before === undefined ? 1 : 2;
      const completed = Math.floor(perSecond * ms / 1_000);
      await gateway.post(id, {
        kind: "progress",
        attempt,
        total,
        completed,
        ...(current === undefined ? {} : { current }),
      });
      if (last === undefined || ms < last.afterMs) continue;
      ended.add(id);
      await gateway.post(id, last.event);
    }
    await new Promise((resolve) => setTimeout(resolve, STEP_MS));
  }
}

/** Publishes candles, and runs a back-test over them. */
async function values({ url }: GatewayProcess, signal: AbortSignal): Promise<void> {
  await using publisher = await connectPublisher(url);
  await using worker = await connectWorker(url);
  const candles = await readCandles();
  const crossing = { fast: 8, slow: 21, cash: 10_000, fee: 0.001 };
  await backTest({ worker, publisher }, candles, {
    name: "crossing",
    symbol: "BTCUSDT",
    crossing,
    perSecond: Infinity,
  });
  await replayCandles(publisher, candles, { perSecond: 1_000, signal });
}

/** Works on a group, whose parts write logs. */
async function parts({ url }: GatewayProcess): Promise<void> {
  await using publisher = await connectPublisher(url);
  await using worker = await connectWorker(url, { progressIntervalMs: 200 });
  await using parent = await connectWorker(url, { heartbeatMs: 0 });
  await group({ worker, parent, publisher }, { id: "release", lengthMs: 15_000 });
}

async function chartOf(page: Page): Promise<string> {
  return await page.getAttribute(".chart svg", "aria-label", { timeout: 1_000 }).catch(() => null) ?? "";
}

const LIGHT: BrowserContextOptions = { viewport: { width: 1_120, height: 740 } };
const DARK: BrowserContextOptions = { ...LIGHT, colorScheme: "dark" };
const PHONE: BrowserContextOptions = { viewport: { width: 360, height: 700 }, deviceScaleFactor: 2 };

/** A picture: its file, where it is taken, on what, and what is waited for. */
type Picture = readonly [file: string, hash: string, options: BrowserContextOptions, until: string];

const PICTURES: readonly Picture[] = [
  ["list-light", "#/", LIGHT, "[data-task=import-may]"],
  ["list-dark", "#/", DARK, "[data-task=import-may]"],
  ["task-light", "#/task/import-may", LIGHT, ".timeline li"],
  ["task-dark", "#/task/import-may", DARK, ".timeline li"],
  ["phone", "#/", PHONE, "[data-task=import-may]"],
  ["candles", "#/channel/data:candles", LIGHT, ".chart .up"],
  ["back-test", "#/channel/strategy:crossing", DARK, ".chart"],
];

/** Those of what plug-ins bring. */
const OF_PLUGINS: readonly Picture[] = [
  ["group", "#/task/release", LIGHT, ".children .fold"],
  ["task-log", "#/task/release-compile", DARK, ".log .warn"],
];
const PLUGINS = ["group_progress", "task_log"].map((name) => `src/plugins/examples/${name}.ts`).join(",");

/** So long the lines of the last minute are let grow before a picture is taken, ms. */
const SETTLED_MS = 6_000;

/** Opens these pages of a gateway, has it live, and takes their pictures. */
async function take(
  gateway: GatewayProcess,
  pictures: readonly Picture[],
  living: () => Promise<unknown>,
): Promise<void> {
  const pages = await Promise.all(
    pictures.map(async ([file, hash, options, until]) => {
      const dashboard = await openDashboard(`${gateway.url}/${hash}`, options);
      return { dashboard, file, until };
    }),
  );
  const going = living();
  await new Promise((resolve) => setTimeout(resolve, SETTLED_MS));
  for (const { dashboard, file, until } of pages) {
    await using open = dashboard;
    await open.page.waitForSelector(until);
    if (await open.page.locator(".past-of").count() > 0) {
      await open.page.click(".past-of");
      await eventually("the past", async () => / \d{3} values$/.test(await chartOf(open.page)));
    }
    if (await open.page.locator(".children .fold").count() > 0) await open.page.click(".children .fold");
    await open.page.screenshot({ path: new URL(`${file}.png`, FOLDER).pathname });
  }
  await going;
}

await Deno.mkdir(FOLDER, { recursive: true });
await withGateway({}, async (gateway) => {
  const over = new AbortController();
  await take(
    gateway,
    PICTURES,
    () => Promise.all([live(gateway).finally(() => over.abort()), values(gateway, over.signal)]),
  );
});
await withGateway({ settings: { PLUGINS } }, async (gateway) => {
  await take(gateway, OF_PLUGINS, () => parts(gateway));
});
