import { natsServerBinary } from "../nats_server_binary.ts";

/** What the numbers were measured on, a line each. */
export async function machine(): Promise<readonly string[]> {
  const cpu = /^model name\s*:\s*(.+)$/m.exec(await Deno.readTextFile("/proc/cpuinfo"))?.[1] ?? "unknown";
  const { total } = Deno.systemMemoryInfo();
  return [
    `${navigator.hardwareConcurrency} cores, ${cpu}, ${
      (total / 2 ** 30).toFixed(0)
    } GB of memory, Linux ${Deno.osRelease()}`,
    `Deno ${Deno.version.deno} (V8 ${Deno.version.v8}): the gateway and every peer`,
    `${await said(await natsServerBinary(), "--version")}`,
    `Peers: ${(await peerVersions()).join(", ")}`,
    new Date().toISOString().slice(0, 16).replace("T", " ") + " UTC",
  ];
}

async function said(program: string, ...args: string[]): Promise<string> {
  const { stdout } = await new Deno.Command(program, { args }).output();
  return new TextDecoder().decode(stdout).trim();
}

/** The versions that the lock file holds. */
async function peerVersions(): Promise<string[]> {
  const lock = await Deno.readTextFile(new URL("../../deno.lock", import.meta.url));
  return ["socket.io", "ws"].map((name) =>
    `${name} ${new RegExp(`"${name}@(\\d[\\d.]*)`).exec(lock)?.[1] ?? "?"}`
  );
}
