import { assert, assertEquals } from "@std/assert";
import * as v from "valibot";
import { readSettings } from "../../src/settings/settings.ts";
import { onPath, run } from "../programs.ts";
import { fence } from "../readme.ts";
import { ProjectCopy } from "../supply_chain/project_copy.ts";
import { deployed } from "./deployed.ts";
import { assertGreets } from "./greeter.ts";
import { answers, freePort, ServerProcess } from "./server_process.ts";

const ROOT = new URL("../../", import.meta.url);
const UNITS = ["taskwire.service", "nats-server.service"] as const;

/** What a unit says, by section and name; a name that is there twice has several values. */
async function unit(name: (typeof UNITS)[number]): Promise<Record<string, Record<string, string[]>>> {
  const sections: Record<string, Record<string, string[]>> = {};
  let section: Record<string, string[]> = {};
  for (const line of (await deployed(`systemd/${name}`)).split("\n")) {
    const [, title] = /^\[(\w+)\]$/.exec(line) ?? [];
    const [, key, value = ""] = /^(\w+)=(.*)$/.exec(line) ?? [];
    if (title !== undefined) section = sections[title] ??= {};
    else if (key !== undefined) (section[key] ??= []).push(value);
    else assert(line === "" || line.startsWith("#"), `${name} has a line that is none: ${line}`);
  }
  return sections;
}

const service = (await unit("taskwire.service"))["Service"] ?? {};
const [command = ""] = service["ExecStart"] ?? [];

Deno.test("the unit runs what deno task start does, and fetches nothing", async () => {
  const Config = v.object({ tasks: v.object({ start: v.object({ command: v.string() }) }) });
  const { tasks } = v.parse(Config, JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT))));
  const words = command.split(" ").filter((word) => !/^--(cached-only|allow-(read|write)=)/.test(word));
  assertEquals(words.join(" ").replace("/usr/local/bin/", ""), tasks.start.command.split(" && ").at(-1));
});

Deno.test("the unit leaves a gateway the time to go in order", () => {
  const read = readSettings({});
  assert("settings" in read);
  assert(Number(service["TimeoutStopSec"]?.[0]) * 1_000 >= read.settings.drainMs + 3_000);
});

Deno.test("the unit's command serves from a folder of systemd's, which is a link, with a plug-in of one's own", async () => {
  await using project = await ProjectCopy.make();
  await Deno.mkdir(`${project.folder}/plugins`);
  await Deno.writeTextFile(`${project.folder}/plugins/greeter.ts`, fence("ts greeter"));
  const folder = await Deno.makeTempDir({ prefix: "taskwire-systemd-" });
  try {
    await Deno.mkdir(`${folder}/private`);
    await Deno.symlink(`${folder}/private`, `${folder}/taskwire`);
    const [, ...args] = command.replaceAll("/var/lib/taskwire", `${folder}/taskwire`).split(" ");
    const port = freePort();
    const env = { PORT: `${port}`, DATA_DIR: `${folder}/taskwire`, PLUGINS: "./plugins/greeter.ts" };
    const options = { cwd: project.folder, env: { ...env, NO_COLOR: "1" } };
    const isUp = () => answers(`http://127.0.0.1:${port}/readyz`);
    await using gateway = await ServerProcess.start(Deno.execPath(), args, isUp, options);
    await assertGreets(`http://127.0.0.1:${port}`);
    gateway.signal("SIGTERM");
    assertEquals(await gateway.gone, 0, gateway.said);
    assert((await Deno.stat(`${folder}/private/log.sqlite`)).isFile);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

const analyze = onPath(["systemd-analyze"]);
/** Of ten, which is a service that may do everything, in tenths. */
const EXPOSURE = 20;

Deno.test({
  name: "systemd takes the units, and finds little that they expose (where there is one)",
  ignore: analyze === undefined,
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "taskwire-units-" });
    try {
      for (const name of UNITS) {
        // Which has to be there, and is not on every machine.
        const text = (await deployed(`systemd/${name}`)).replace(/^ExecStart=\S+/m, "ExecStart=/bin/true");
        await Deno.writeTextFile(`${folder}/${name}`, text);
        await run(analyze ?? "", ["verify", `${folder}/${name}`]);
        await run(analyze ?? "", [
          "security",
          "--offline=yes",
          `--threshold=${EXPOSURE}`,
          `${folder}/${name}`,
        ]);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
