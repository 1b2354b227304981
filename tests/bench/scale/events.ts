import { startNatsServer } from "../../nats_server.ts";
import { type Bench, LOAD_CORE, pause, portOf, quiet, SERVER_CORE } from "../bench.ts";
import { Gateway } from "../gateway.ts";
import { monotonicMs } from "../libc.ts";
import { cpuMsOf } from "../pinned_process.ts";
import { Publisher } from "../publishing.ts";
import type { Curve } from "./curve.ts";

const RATES = [1_000, 2_500, 5_000, 10_000, 20_000];
const FEW_RATES = [500, 1_000, 2_000];
const TASKS = 1_000;
/** What a second of a rate used, ms. */
type Share = { readonly rate: number; readonly gatewayMs: number; readonly natsMs: number };

/** What events cost a gateway that nobody watches, and NATS, with a gateway that follows it and with none. */
export async function eventCurves(bench: Bench): Promise<readonly Curve[]> {
  const pidFile = `${await bench.folder()}/nats.pid`;
  await using server = await startNatsServer({ config: `pid_file: ${JSON.stringify(pidFile)}` });
  const natsPid = Number(await Deno.readTextFile(pidFile));
  const settings = { NATS_URL: server.url };
  const gateway = await Gateway.start({ core: SERVER_CORE, dataDir: await bench.folder(), settings });
  await using _gateway = gateway;
  await using publisher = await Publisher.start(LOAD_CORE);
  let from = 0;
  const measured = async (rate: number, gatewayMs: () => number): Promise<Share> => {
    const events = rate * bench.pick(5, 1);
    const [startMs, cpuMs, natsMs] = [monotonicMs(), gatewayMs(), cpuMsOf(natsPid)];
    const load = {
      port: portOf(server.url),
      workload: "progress",
      tasks: TASKS,
      rate,
      events,
      from,
    } as const;
    await publisher.steady({ ...load, stored: true });
    from += events;
    const tookS = (monotonicMs() - startMs) / 1_000;
    const share = {
      rate: events / tookS,
      gatewayMs: (gatewayMs() - cpuMs) / tookS,
      natsMs: (cpuMsOf(natsPid) - natsMs) / tookS,
    };
    bench.say(
      `    ${share.rate.toFixed(0)} events/s: gateway ${share.gatewayMs.toFixed(1)} ms/s, NATS ${
        share.natsMs.toFixed(1)
      } ms/s`,
    );
    return share;
  };
  const rates = bench.pick(RATES, FEW_RATES);
  await measured(rates.at(-1) ?? 0, () => gateway.process.cpuMs()); // the tasks become known, the code warm
  const followed: Share[] = [];
  for (const rate of rates) {
    await quiet(gateway.process);
    followed.push(await measured(rate, () => gateway.process.cpuMs()));
  }
  await gateway.process.kill();
  await pause(500);
  const alone: Share[] = [];
  for (const rate of rates) alone.push(await measured(rate, () => 0));
  const curve = (title: string, shares: readonly Share[], y: (share: Share) => number): Curve => ({
    title,
    x: "events a second",
    y: "ms of a core a second",
    points: shares.map((share) => ({ x: share.rate, y: y(share) })),
    each: { unit: "µs an event", per: 1_000 },
  });
  return [
    curve("A gateway that nobody watches", followed, ({ gatewayMs }) => gatewayMs),
    curve("nats-server, one gateway following", followed, ({ natsMs }) => natsMs),
    curve("nats-server, nobody following", alone, ({ natsMs }) => natsMs),
  ];
}
