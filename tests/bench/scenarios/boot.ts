import { type Bench, quiet, SERVER_CORE } from "../bench.ts";
import { Gateway } from "../gateway.ts";
import { megabytes, precise } from "../numbers.ts";
import type { Measured, Measures, Row, Scenario } from "../scenario.ts";
import { embeddedHistory, natsServerWithHistory } from "../stream.ts";

const MOST_MEGABYTES = 250;

async function started(
  dataDir: string,
  settings: Readonly<Record<string, string>>,
): Promise<Measures> {
  await using gateway = await Gateway.start({ core: SERVER_CORE, dataDir, settings });
  const seconds = (gateway.readyAtMs - gateway.startedAtMs) / 1_000;
  // It goes on getting to know its log for a while, which costs memory too.
  await quiet(gateway.process);
  return { seconds, peakBytes: gateway.process.peakMemoryBytes(), bytes: gateway.process.memoryBytes() };
}

async function onJetStream(bench: Bench): Promise<Measures> {
  const nats = await natsServerWithHistory(bench);
  return await started(await bench.folder(), { NATS_URL: nats.server.url });
}

/** Each time on a fresh copy, so that no start finds what another has left. */
async function embedded(bench: Bench): Promise<Measures> {
  const { folder } = await embeddedHistory(bench);
  const copy = await bench.folder();
  for await (const { name } of Deno.readDir(folder)) {
    await Deno.copyFile(`${folder}/${name}`, `${copy}/${name}`);
  }
  const measures = await started(copy, {});
  await Deno.remove(copy, { recursive: true });
  return measures;
}

function rowsOf(measured: Measured, contender: string, mostSeconds: number): Row[] {
  const seconds = measured.of(contender, "seconds");
  const bytes = measured.of(contender, "peakBytes");
  const row = { peers: "", floor: "", ratio: "" };
  return [
    {
      ...row,
      what: `s until ready, ${contender}`,
      ours: precise(seconds),
      target: `≤ ${mostSeconds} s`,
      met: seconds <= mostSeconds,
    },
    {
      ...row,
      what: `memory at its peak, ${contender}`,
      ours: megabytes(bytes),
      target: `≤ ${MOST_MEGABYTES} MB`,
      met: bytes <= MOST_MEGABYTES * 1_048_576,
    },
  ];
}

/** F: how long a start takes. */
export const boot: Scenario = {
  name: "F",
  title: "Boot with 1,000,000 events of 10,000 tasks",
  about:
    "From the start of the process to the first 200 of `/readyz`. 100 events a task, spread over the whole log; " +
    "half of the tasks have ended. Memory is the largest resident size until the process has come to rest.",
  contenders: { "JetStream": onJetStream, "embedded": embedded },
  rows: (measured) => [...rowsOf(measured, "JetStream", 3), ...rowsOf(measured, "embedded", 2)],
};
