/** A process, as `/proc` tells of it. */
export type Seen = {
  readonly pid: string;
  /** Resident memory, bytes. */
  readonly memory: () => Promise<number>;
  /** Open files and sockets. */
  readonly handles: () => Promise<number>;
  readonly threads: () => Promise<number>;
  /** How long its main thread has run, and how long it waited meanwhile for a processor to run on, ns. */
  readonly processor: () => Promise<{ readonly ran: number; readonly waited: number }>;
  /** What `ps` would show of it: its name and its command line. */
  readonly title: () => Promise<string>;
};

/** The process with this variable in its environment; undefined where `/proc` tells of none. */
export async function processWith(name: string, value: string): Promise<Seen | undefined> {
  const entries = await Array.fromAsync(Deno.readDir("/proc")).catch(() => []);
  for (const { name: pid } of entries) {
    if (!/^\d+$/.test(pid)) continue;
    const environ = await read(pid, "environ");
    if (environ.split("\0").includes(`${name}=${value}`)) return seen(pid);
  }
  return undefined;
}

function seen(pid: string): Seen {
  return {
    pid,
    memory: async () => 1_024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(await read(pid, "status"))?.[1]),
    handles: async () => (await Array.fromAsync(Deno.readDir(`/proc/${pid}/fd`))).length,
    threads: async () => Number(/^Threads:\s+(\d+)$/m.exec(await read(pid, "status"))?.[1]),
    processor: async () => {
      const [ran = 0, waited = 0] = (await read(pid, `task/${pid}/schedstat`)).split(" ").map(Number);
      return { ran, waited };
    },
    title: async () => `${await read(pid, "comm")}${await read(pid, "cmdline")}`,
  };
}

async function read(pid: string, file: string): Promise<string> {
  return await Deno.readTextFile(`/proc/${pid}/${file}`).catch(() => "");
}
