import { assert, assertEquals } from "@std/assert";
import { gzipSync } from "node:zlib";
import { bundleAll, BUNDLES, PUBLIC } from "../../deploy/bundle.ts";

/** The names of what lies in a folder, sorted. */
async function namesIn(folder: URL): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
}

Deno.test("what browsers load is what the sources make (deno task bundle)", async () => {
  const folder = new URL(`file://${await Deno.makeTempDir({ prefix: "taskwire-bundle-" })}/`);
  try {
    await bundleAll(folder);
    const names = await namesIn(folder);
    assertEquals(names, [
      "client.d.ts",
      "client.js",
      "compact.d.ts",
      "compact.js",
      "dashboard.js",
      "decrypt.d.ts",
      "decrypt.js",
      "tabs.d.ts",
      "tabs.js",
    ]);
    for (const name of names) {
      const [made, committed] = await Promise.all(
        [folder, PUBLIC].map((at) => Deno.readTextFile(new URL(name, at))),
      );
      assert(
        made === committed,
        `src/http/bundles/${name} is not what the sources make: run deno task bundle, and commit it`,
      );
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("what browsers load is small", async () => {
  for (const { name, maxGzipBytes } of BUNDLES) {
    const { length } = gzipSync(await Deno.readFile(new URL(`${name}.js`, PUBLIC)), { level: 9 });
    assert(length <= maxGzipBytes, `${name}: ${length} bytes gzipped, at most ${maxGzipBytes}`);
  }
});

/** A program that knows nothing of the client, and of tabs that share one, but their files. */
const PROGRAM = `// @ts-types="./client.d.ts"
import { type Client, ClientError, connect, type Store, type TaskView } from "./client.js";
// @ts-types="./tabs.d.ts"
import { shareTabs } from "./tabs.js";

const token = () => Promise.resolve("t");
const client: Client = connect("ws://127.0.0.1:8000/ws", { clientId: "me", token, tabs: shareTabs("me") });
const store: Store<TaskView> = client.task("job1");
const ended: boolean = store.getSnapshot().status === "completed";
store.subscribe(({ progress, eta }) => [progress?.percentage, eta]);
client.subscribe(["task:list"], (frame) => frame.type === "gap" && frame.data.reason === "epoch");
try {
  const { events } = await client.getHistory("job1", { afterSeq: 1 });
  events.map(({ kind, seq }) => kind + seq);
} catch (error) {
  if (error instanceof ClientError && error.code === "TASK_NOT_FOUND") throw error;
}
// @ts-expect-error: no such status
export const wrong: boolean = store.getSnapshot().status === "exploded";
// @ts-expect-error: no such member
client.explode();
export { ended };
`;

Deno.test("the types beside the bundle need nothing else", async () => {
  for (const name of ["client.d.ts", "tabs.d.ts"]) {
    const types = await Deno.readTextFile(new URL(name, PUBLIC));
    assertEquals(types.match(/^\s*(import|export)\b.*\bfrom\b.*$/gm), null);
  }
  const folder = await Deno.makeTempDir({ prefix: "taskwire-types-" });
  try {
    for (const name of ["client.js", "client.d.ts", "tabs.js", "tabs.d.ts"]) {
      await Deno.copyFile(new URL(name, PUBLIC), `${folder}/${name}`);
    }
    await Deno.writeTextFile(`${folder}/program.ts`, PROGRAM);
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["check", "--no-config", "--no-lock", `${folder}/program.ts`],
      cwd: folder,
      env: { NO_COLOR: "1" },
    }).output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
