import { assertEquals, assertMatch } from "@std/assert";
import { spaceFinding } from "../../src/cli/doctor_disk.ts";
import { readiness } from "../../src/cli/doctor_gateway.ts";
import { versionFinding } from "../../src/cli/doctor_nats.ts";
import { mappingOf } from "../../src/log/jetstream_partition.ts";
import { type Finding, skewFinding } from "../../src/cli/finding.ts";
import { withGateway } from "../gateway/gateway_process.ts";
import { startNatsServer } from "../nats_server.ts";
import { cli } from "./cli_process.ts";

const NOBODY = { TASKWIRE_URL: "" };

async function examined(
  env: Readonly<Record<string, string>>,
): Promise<{ readonly code: number; readonly findings: readonly Finding[] }> {
  const { code, stdout } = await cli(["doctor", "--json"], { env: { ...NOBODY, ...env } });
  return { code, findings: JSON.parse(stdout) };
}

function verdicts(findings: readonly Finding[]): Record<string, string> {
  return Object.fromEntries(findings.map(({ check, verdict }) => [check, verdict]));
}

Deno.test("a machine in order is exit code 0: NATS, stream, rights, and the gateway on it", async () => {
  await using nats = await startNatsServer();
  await withGateway({ settings: { NATS_URL: nats.url } }, async ({ url }) => {
    const { code, findings } = await examined({ NATS_URL: nats.url, TASKWIRE_URL: url });
    assertEquals(findings.filter(({ verdict }) => verdict === "wrong"), []);
    assertEquals(code, 0);
    const { clock: _, ...rest } = verdicts(findings);
    const all = [
      "settings",
      "NATS",
      "version",
      "JetStream",
      "stream",
      "publishing",
      "reading",
      "subjects",
      "gateway",
      "WebSocket",
    ];
    assertEquals(rest, Object.fromEntries(all.map((check) => [check, "ok"])));
    const { code: other, findings: different } = await examined({ NATS_URL: nats.url, RETAIN_AGE: "1d" });
    assertEquals([other, verdicts(different).stream], [1, "wrong"]);
    assertMatch(different.find(({ check }) => check === "stream")?.says ?? "", /max_age: taskwire wants 1d/);
  });
});

Deno.test("a partition is in order where NATS brings its events to its stream, and else is told the line to add", async () => {
  const line = mappingOf({ prefix: "taskwire", partitions: 2 });
  await using nats = await startNatsServer({ config: `mappings: { ${line} }` });
  const settings = { NATS_URL: nats.url, PARTITION: "1/2" };
  await withGateway({ settings }, async () => {
    const { code, findings } = await examined(settings);
    assertEquals([code, findings.find(({ check }) => check === "subjects")?.says], [
      0,
      "events of partition 1/2 come to TASKWIRE_1",
    ]);
    await using plain = await startNatsServer();
    await withGateway({
      settings: { NATS_URL: plain.url, STREAM: "TASKWIRE_1", SUBJECT_PREFIX: "taskwire.part.1" },
    }, async () => {
      const unmapped = (await examined({ ...settings, NATS_URL: plain.url })).findings;
      const found = unmapped.find(({ check }) => check === "subjects");
      assertEquals(found?.verdict, "wrong");
      assertMatch(found !== undefined && "mend" in found ? found.mend : "", /partition\(2,1\)/);
    });
  });
});

Deno.test("the examination writes nothing", async () => {
  await using nats = await startNatsServer();
  await withGateway({ settings: { NATS_URL: nats.url } }, async ({ url }) => {
    await examined({ NATS_URL: nats.url, TASKWIRE_URL: url });
    const response = await fetch(`${url}/api/tasks`);
    assertEquals((await response.json()).total, 0);
    const rejected = await fetch(`${url}/api/rejected`);
    assertEquals((await rejected.json()).total, 0);
  });
});

Deno.test("each right that is missing is named with what to allow", async () => {
  const rights = `authorization { users: [{ user: "gw", password: "pw", permissions: {
    publish: ["$JS.API.INFO", "$JS.API.STREAM.INFO.TASKWIRE", "$JS.API.STREAM.CREATE.TASKWIRE"],
    subscribe: ["_INBOX.>"] } }, { user: "all", password: "pw" }] }`;
  await using nats = await startNatsServer({ config: rights });
  const settings = { NATS_URL: nats.url, NATS_USER: "all", NATS_PASSWORD: "pw" };
  await withGateway({ settings }, async () => {
    const { code, findings } = await examined({ ...settings, NATS_USER: "gw" });
    assertEquals(code, 1);
    const { stream, publishing, reading } = verdicts(findings);
    assertEquals({ stream, publishing, reading }, { stream: "ok", publishing: "wrong", reading: "wrong" });
  });
  const refused = await examined({ ...settings, NATS_PASSWORD: "wrong" });
  assertEquals([refused.code, verdicts(refused.findings).NATS], [1, "wrong"]);
});

Deno.test("what is broken is told with how to mend it, and exit code 1", async () => {
  const broken = await cli(["doctor"], { env: { ...NOBODY, PORT: "many" } });
  assertEquals(broken.code, 1);
  assertMatch(broken.stdout, /^✗ settings +PORT="many" must be a whole number from 0 to 65535\n +→ /);
  const away = await examined({ NATS_URL: "nats://127.0.0.1:9" });
  assertEquals([away.code, verdicts(away.findings).NATS], [1, "wrong"]);
  const plain = await startNatsServer({ jetstream: false });
  const without = await examined({ NATS_URL: plain.url });
  await plain[Symbol.asyncDispose]();
  assertEquals([without.code, verdicts(without.findings).JetStream], [1, "wrong"]);
  const url = await examined({ TASKWIRE_URL: "ws://127.0.0.1:9" });
  assertEquals([url.code, verdicts(url.findings).gateway], [1, "wrong"]);
});

Deno.test("clocks, versions, disks and answers are judged by their rules", () => {
  const times = { sentMs: 10_000, answeredMs: 10_100, gritMs: 1_000 };
  const skews = [9_000, 10_050, 12_000, 13_000, 2_000].map((theirMs) => skewFinding("x", theirMs, times));
  assertEquals(skews.map(({ verdict }) => verdict), ["ok", "ok", "ok", "wrong", "wrong"]);
  assertEquals(skews.slice(3).map(({ says }) => says), [
    "that of x is 3 s ahead of ours",
    "that of x is 7 s behind ours",
  ]);
  const versions = ["2.9.9", "2.9.10", "2.10.0", "2.15.2", "3.0.0-beta", "2.8.99", "1.99.99", ""];
  const oks = versions.map((version) => versionFinding(version).verdict === "ok");
  assertEquals(oks, [false, true, true, true, true, false, false, false]);
  const gib = 1_073_741_824;
  assertEquals([20 * gib, 5 * gib, gib / 2].map((free) => spaceFinding(free, 10 * gib).verdict), [
    "ok",
    "note",
    "wrong",
  ]);
  const at = new URL("http://gateway");
  const answers = [[200, ""], [503, '{"reasons":["log"]}'], [404, "<html>"]] as const;
  assertEquals(answers.map(([status, body]) => readiness(status, body, at).verdict), [
    "ok",
    "wrong",
    "wrong",
  ]);
  assertEquals(readiness(503, '{"reasons":["log"]}', at).says, "at http://gateway is not ready: log");
});
