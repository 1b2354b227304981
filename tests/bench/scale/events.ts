import { mappingOf } from "../../../src/log/jetstream_partition.ts";
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
const PARTITIONS = 4;

/** What a second of a rate used, ms. */
type Share = { readonly rate: number; readonly gatewayMs: number; readonly natsMs: number };

/** What events cost a gateway that nobody watches, and NATS: with a gateway that follows, with none, and in partitions. */
export async function eventCurves(bench: Bench): Promise<readonly Curve[]> {
  const whole = await shares(bench, 1);
  const parts = await shares(bench, PARTITIONS);
  const curve = (title: string, measured: readonly Share[], y: (share: Share) => number): Curve => ({
    title,
    x: "events a second",
    y: "ms of a core a second",
    points: measured.map((share) => ({ x: share.rate, y: y(share) })),
    each: { unit: "µs an event", per: 1_000 },
  });
  return [
    curve("A gateway that nobody watches", whole.followed, ({ gatewayMs }) => gatewayMs),
    curve(`The same, of one of ${PARTITIONS} partitions`, parts.followed, ({ gatewayMs }) => gatewayMs),
    curve("nats-server, nobody following", whole.alone, ({ natsMs }) => natsMs),
    curve("nats-server, one gateway following", whole.followed, ({ natsMs }) => natsMs),
    curve(
      `nats-server, mapping to ${PARTITIONS} partitions, nobody following`,
      parts.alone,
      ({ natsMs }) => natsMs,
    ),
  ];
}

type Shares = { readonly followed: readonly Share[]; readonly alone: readonly Share[] };

/** With one gateway that follows all, or one of so many partitions, and after that has gone. */
async function shares(bench: Bench, partitions: number): Promise<Shares> {
  const pidFile = `${await bench.folder()}/nats.pid`;
  const mappings = partitions === 1 ? "" : `mappings: { ${mappingOf({ prefix: "taskwire", partitions })} }`;
  await using server = await startNatsServer({ config: `pid_file: ${JSON.stringify(pidFile)}\n${mappings}` });
  const started = async (partition: number): Promise<Gateway> => {
    const settings = {
      NATS_URL: server.url,
      ...(partitions === 1 ? {} : { PARTITION: `${partition}/${partitions}` }),
    };
    return await Gateway.start({ core: SERVER_CORE, dataDir: await bench.folder(), settings });
  };
  // The streams of the other partitions stay when their gateways have gone.
  for (let other = 1; other < partitions; other++) await (await started(other))[Symbol.asyncDispose]();
  await using gateway = await started(0);
  await using publisher = await Publisher.start(LOAD_CORE);
  const under = {
    bench,
    publisher,
    port: portOf(server.url),
    natsPid: Number(await Deno.readTextFile(pidFile)),
  };
  const rates = bench.pick(RATES, FEW_RATES);
  let from = 0;
  const measured = async (rate: number, gatewayMs: () => number): Promise<Share> => {
    const events = rate * bench.pick(5, 1);
    const share = await shareOf(under, { rate, events, from }, gatewayMs);
    from += events;
    return share;
  };
  await measured(rates.at(-1) ?? 0, () => 0); // the tasks become known, the code warm
  const followed: Share[] = [];
  for (const rate of rates) {
    await quiet(gateway.process);
    followed.push(await measured(rate, () => gateway.process.cpuMs()));
  }
  await gateway.process.kill();
  await pause(500);
  const alone: Share[] = [];
  for (const rate of rates) alone.push(await measured(rate, () => 0));
  return { followed, alone };
}

type Under = {
  readonly bench: Bench;
  readonly publisher: Publisher;
  readonly port: number;
  readonly natsPid: number;
};

async function shareOf(
  { bench, publisher, port, natsPid }: Under,
  load: { readonly rate: number; readonly events: number; readonly from: number },
  gatewayMs: () => number,
): Promise<Share> {
  const [startMs, cpuMs, natsMs] = [monotonicMs(), gatewayMs(), cpuMsOf(natsPid)];
  await publisher.steady({ port, workload: "progress", tasks: TASKS, ...load, stored: true });
  const seconds = (monotonicMs() - startMs) / 1_000;
  const share = {
    rate: load.events / seconds,
    gatewayMs: (gatewayMs() - cpuMs) / seconds,
    natsMs: (cpuMsOf(natsPid) - natsMs) / seconds,
  };
  const [rate, ours, theirs] = [share.rate, share.gatewayMs, share.natsMs].map((value) => value.toFixed(0));
  bench.say(`    ${rate} events/s: gateway ${ours} ms/s, NATS ${theirs} ms/s`);
  return share;
}
