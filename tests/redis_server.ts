import { debianProgram, librariesOf } from "./debian_program.ts";
import { eventually } from "./eventually.ts";

/** A real Redis of a test's own, which keeps nothing. Disposing it kills it. */
export type RedisServer = AsyncDisposable & {
  /** `redis://127.0.0.1:<port>`. */
  readonly url: string;
};

/** How often a start is tried anew when another process took the port first. */
const START_ATTEMPTS = 5;
const START_MS = 20_000;

/** The executable: the one that `REDIS_SERVER` names, else the one on PATH, else Debian's. Rejects with how to get one. */
export function redisServerBinary(): Promise<string> {
  return debianProgram({
    variable: "REDIS_SERVER",
    name: "redis-server",
    package: "redis-server",
    // A link into the second package, whose program knows by its name what it is to be.
    pathInPackage: "usr/bin/redis-server",
    also: ["redis-tools"],
    wanted: "a real Redis, for queues",
  });
}

/** Starts one, and resolves when it takes connections. Rejects with what it said when it does not start. */
export async function startRedis(): Promise<RedisServer> {
  const binary = await redisServerBinary();
  for (let attempt = 1;; attempt++) {
    const port = freePort();
    const child = new Deno.Command(binary, {
      args: ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
      env: librariesOf(binary),
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    let isOver = false;
    const said = child.stdout.text();
    const gone = child.status.then(() => void (isOver = true));
    const stop = async (): Promise<void> => {
      if (!isOver) child.kill("SIGKILL");
      await Promise.all([gone, said]);
    };
    try {
      await eventually("Redis takes connections", async () => isOver || await answers(port), START_MS);
      if (!isOver) return { url: `redis://127.0.0.1:${port}`, [Symbol.asyncDispose]: stop };
    } catch (error) {
      await stop();
      throw error;
    }
    if (attempt === START_ATTEMPTS) throw new Error(`Redis did not start: ${await said}`);
  }
}

async function answers(port: number): Promise<boolean> {
  try {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port });
    await connection.write(new TextEncoder().encode("PING\r\n"));
    return await connection.read(new Uint8Array(16)) !== null;
  } catch {
    return false;
  }
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
