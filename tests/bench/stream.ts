import { type Bench, LOAD_CORE, natsServer, SERVER_CORE } from "./bench.ts";
import { Gateway } from "./gateway.ts";
import { Publisher } from "./publishing.ts";

/** A NATS server with the stream on it, made by a gateway that is gone again. */
export async function natsServerWithStream(bench: Bench): Promise<Awaited<ReturnType<typeof natsServer>>> {
  const nats = await natsServer();
  const settings = { NATS_URL: nats.server.url };
  await using gateway = await Gateway.start({ core: SERVER_CORE, dataDir: await bench.folder(), settings });
  await gateway.process.kill();
  return nats;
}

/** Tasks of the large history. */
export const HISTORY_TASKS = 10_000;

/** How many events it has. */
export function historyEvents(bench: Bench): number {
  return bench.pick(1_000_000, 200_000);
}

/** A NATS server whose stream has the large history, filled once for all scenarios. */
export function natsServerWithHistory(bench: Bench): ReturnType<typeof natsServer> {
  return bench.keep("history on NATS", async () => {
    const nats = await natsServerWithStream(bench);
    await using publisher = await Publisher.start(LOAD_CORE);
    const events = historyEvents(bench);
    bench.say(`    storing ${events} events`);
    const what = { port: nats.port, workload: "history", tasks: HISTORY_TASKS, events, from: 0 } as const;
    const { ms } = await publisher.burst(what);
    bench.say(`    stored in ${(ms / 1_000).toFixed(1)} s`);
    return nats;
  });
}

/** A folder with an embedded log that has the large history, filled once. To be copied, not to be used. */
export function embeddedHistory(bench: Bench): Promise<{ readonly folder: string } & AsyncDisposable> {
  return bench.keep("history in SQLite", async () => {
    const folder = await bench.folder();
    const events = historyEvents(bench);
    bench.say(`    appending ${events} events to an embedded log`);
    const program = new URL("preload_embedded.ts", import.meta.url).pathname;
    const args = ["run", "-A", "--no-check", program, folder, String(events), String(HISTORY_TASKS)];
    const { success, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return { folder, [Symbol.asyncDispose]: () => Promise.resolve() };
  });
}
