import * as v from "valibot";
import { type Bench, LOAD_CORE, pause, SERVER_CORE } from "../bench.ts";
import { Gateway } from "../gateway.ts";
import { monotonicMs } from "../libc.ts";
import { LineProcess } from "../line_process.ts";
import { times, whole } from "../numbers.ts";
import { Publisher } from "../publishing.ts";
import type { Measures, Scenario } from "../scenario.ts";
import { natsServerWithStream } from "../stream.ts";

const LEAST = 0.6;
const TASKS = 1_000;
const GIVE_UP_MS = 120_000;
/** How often the gateway is asked how far it is. */
const ASK_MS = 20;

function eventsOf(bench: Bench): number {
  return bench.pick(500_000, 150_000);
}

/** The gateway stands still while the events are stored, so that the rate is its own and not the publisher's. */
async function ours(bench: Bench): Promise<Measures> {
  await using nats = await natsServerWithStream(bench);
  const settings = { NATS_URL: nats.server.url, RETAIN_PER_SUBJECT: "1000" };
  await using gateway = await Gateway.start({ core: SERVER_CORE, dataDir: await bench.folder(), settings });
  await using publisher = await Publisher.start(LOAD_CORE);
  const events = eventsOf(bench);
  gateway.process.signal("SIGSTOP");
  const what = { port: nats.port, workload: "progress", tasks: TASKS, events, from: 0 } as const;
  const { lastSeq, ms } = await publisher.burst(what);
  gateway.process.signal("SIGCONT");
  const [startMs, cpuMs] = [monotonicMs(), gateway.process.cpuMs()];
  while (await gateway.metric("taskwire_log_followed") < lastSeq) {
    if (monotonicMs() - startMs > GIVE_UP_MS) throw new Error("The gateway does not catch up");
    await pause(ASK_MS);
  }
  const tookMs = monotonicMs() - startMs;
  return {
    eventsPerSecond: events / tookMs * 1_000,
    cpu: (gateway.process.cpuMs() - cpuMs) / tookMs,
    storedPerSecond: events / ms * 1_000,
  };
}

async function bareClient(bench: Bench): Promise<Measures> {
  await using nats = await natsServerWithStream(bench);
  await using publisher = await Publisher.start(LOAD_CORE);
  const events = eventsOf(bench);
  await publisher.burst({ port: nats.port, workload: "progress", tasks: TASKS, events, from: 0 });
  await using client = await LineProcess.start("peers/bare_client.ts", { core: SERVER_CORE });
  const answer = await client.ask({ url: nats.server.url, from: 1, count: events });
  const { ms } = v.parse(v.object({ ms: v.number() }), answer);
  return { eventsPerSecond: events / ms * 1_000 };
}

/** G: how fast the log is followed. */
export const following: Scenario = {
  name: "G",
  title: "Following the stream with no subscriber",
  about:
    "Progress events of 1,000 tasks are stored while the gateway stands still (SIGSTOP); measured is from when it " +
    "goes on until it has followed them all. Compared with the official client, `nats`, reading as many with an " +
    "ordered consumer and doing nothing with them.",
  contenders: { "taskwire": ours, "nats client": bareClient },
  rows: (measured) => {
    const ratio = measured.ratio("taskwire", "nats client", "eventsPerSecond");
    return [{
      what: "events/s",
      ours: whole(measured.of("taskwire", "eventsPerSecond")),
      peers: `nats ${whole(measured.of("nats client", "eventsPerSecond"))}`,
      floor: "",
      ratio: times(ratio),
      target: `≥ ${LEAST} ×`,
      met: ratio >= LEAST,
    }];
  },
};
