import { assert, assertEquals } from "@std/assert";
import { SETTINGS } from "../../src/settings/environment.ts";
import { fence, README } from "../readme.ts";
import { eventually } from "../eventually.ts";
import { type GatewayProcess, ROOT, withGateway } from "./gateway_process.ts";
import { Watcher } from "./watcher.ts";

/** A subprocess that runs `code` as pasted, against `gateway`, with the project's configuration. */
async function pasted(code: string, gateway: GatewayProcess): Promise<[Deno.ChildProcess, string]> {
  const file = await Deno.makeTempFile({ dir: gateway.dataDir, suffix: ".ts" });
  await Deno.writeTextFile(file, code.replaceAll("127.0.0.1:8000", `127.0.0.1:${gateway.port}`));
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--config", new URL("deno.json", ROOT).pathname, file],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  return [child, file];
}

Deno.test("the README's worker runs as pasted, and its watchers see it end", async () => {
  await withGateway({}, async (gateway) => {
    await using watcher = await Watcher.start({ url: gateway.wsUrl });
    const [child] = await pasted(fence("ts worker"), gateway);
    const { code, stderr } = await child.output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    await watcher.until("it completed", () => watcher.statuses.at(-1)?.status === "completed");
    assertEquals(watcher.statuses.map(({ status }) => status), ["pending", "running", "completed"]);
    const last = watcher.of("task_status").at(-1)?.data;
    assertEquals([last?.task_id, last?.name, last?.tags, last?.result], [
      "import-42",
      "Import",
      ["user-1"],
      { files: 3 },
    ]);
    assertEquals(last?.progress.percentage, 100);
  });
});

Deno.test("the README's publisher runs as pasted, and its values are there", async () => {
  await withGateway({}, async (gateway) => {
    const [child] = await pasted(fence("ts publisher"), gateway);
    const { code, stderr } = await child.output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    await eventually("they are held", async () => await gateway.metric("taskwire_channel_values") === 2);
    assertEquals(await gateway.metric("taskwire_channel_updates_total"), 4);
  });
});

Deno.test("the README's client runs as pasted and prints what it is sent", async () => {
  await withGateway({}, async (gateway) => {
    const [child] = await pasted(fence("js client"), gateway);
    let said = "";
    const reading = (async () => {
      for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) said += text;
    })();
    const errors = child.stderr.text();
    try {
      await eventually("the client is there", async () => {
        return await gateway.metric("taskwire_audiences") === 1;
      }, 30_000);
      await gateway.post("job1", { kind: "progress", total: 10, completed: 3 });
      await eventually(
        "the client printed both",
        () => said.includes("job1 30 %") && said.includes("job1 running"),
      );
    } finally {
      child.kill("SIGKILL");
      await child.status;
      await reading;
      assertEquals(await errors, "");
    }
  });
});

Deno.test("the README's curl line is taken", async () => {
  const line = README.match(/^curl --json '(.*)' http:\/\/127\.0\.0\.1:8000(\/\S+)$/m);
  const [pasted, json, path] = line ?? [];
  assert(pasted !== undefined && json !== undefined && path !== undefined);
  await withGateway({}, async (gateway) => {
    const byCurl = await curl(pasted.replace(":8000", `:${gateway.port}`));
    const answer = byCurl ?? await post(`${gateway.url}${path}`, json);
    assertEquals(JSON.parse(answer), { results: [{ seq: 1, duplicate: false }] });
    assertEquals(
      await gateway.metric(
        'taskwire_http_requests_total{method="POST",route="/api/tasks/:id/events",status="2xx"}',
      ),
      1,
    );
  });
});

async function post(url: string, json: string): Promise<string> {
  const headers = { "content-type": "application/json" };
  return await (await fetch(url, { method: "POST", headers, body: json })).text();
}

/** What the line prints in a shell; undefined where there is no curl, or one from before `--json` (7.82). */
async function curl(line: string): Promise<string | undefined> {
  const { code, stdout } = await new Deno.Command("sh", { args: ["-c", line], stderr: "null" }).output();
  const unknown = { option: 2, command: 127 };
  return code === unknown.option || code === unknown.command ? undefined : new TextDecoder().decode(stdout);
}

Deno.test("the README's `nats pub` line is an event of the protocol", () => {
  const line = README.match(/^nats pub taskwire\.(\S+) '(.*)'$/m);
  assertEquals([line?.[1], JSON.parse(line?.[2] ?? "null")], ["task.job1.progress", {
    total: 10,
    completed: 3,
  }]);
});

Deno.test("the README's table of settings is the settings' own", () => {
  const rows = SETTINGS.map(({ name, default: value, rule, meaning }) => {
    const shown = value === undefined ? "" : `\`${value}\``;
    return `| \`${name}\` | ${shown} | ${meaning}; ${rule} |`;
  });
  const table = README.slice(README.indexOf("| name | default | meaning |")).split("\n\n")[0];
  assertEquals(table?.split("\n").slice(2), rows);
});
