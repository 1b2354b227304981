import { decodeCbor } from "../../../src/protocol/cbor.ts";
import { cbor, jsonBatch, type MessageCodec } from "../../../src/protocol/codec.ts";
import { type Bench, LOAD_CORE, natsServer, pause, SERVER_CORE } from "../bench.ts";
import { Gateway } from "../gateway.ts";
import { precise, whole } from "../numbers.ts";
import { progressBatch } from "../progress_batch.ts";
import { Publisher } from "../publishing.ts";
import { Receiver } from "../receiver.ts";
import type { Measured, Measures, Row, Scenario } from "../scenario.ts";
import { median } from "../statistics.ts";

const CLIENTS = 10;
const TASKS = 100;
const RATE = 2_000;
const TASKS_A_FLUSH = 40;

/** Ways to be told the same. */
const FORMATS = {
  "JSON": { query: "batch=1" },
  "JSON, changes": { query: "batch=1&delta=1" },
  "CBOR": { query: "batch=1", protocol: "taskwire.v1.cbor" },
  "CBOR, changes": { query: "batch=1&delta=1", protocol: "taskwire.v1.cbor" },
} as const;
type Format = keyof typeof FORMATS;
const NAMES = Object.keys(FORMATS) as readonly Format[];

/** Bytes of a flush, by how it is told. */
async function sizes(bench: Bench): Promise<Measures> {
  await using nats = await natsServer();
  const settings = { NATS_URL: nats.server.url };
  await using gateway = await Gateway.start({ core: SERVER_CORE, dataDir: await bench.folder(), settings });
  await using receiver = await Receiver.start(LOAD_CORE);
  await using publisher = await Publisher.start(LOAD_CORE);
  for (const name of NAMES) {
    for (const compress of [false, true]) {
      const { query, ...about } = FORMATS[name];
      const opening = gateway.opening(`topics=task:progress&replay=none&${query}`);
      await receiver.connect(keyOf(name, compress), {
        ...opening,
        ...about,
        count: CLIENTS,
        read: "count",
        compress,
      });
    }
  }
  const load = { port: nats.port, workload: "progress", tasks: TASKS, rate: RATE, stored: true } as const;
  await publisher.steady({ ...load, events: RATE, from: 0 });
  await pause(500);
  await receiver.start();
  await publisher.steady({ ...load, events: RATE * bench.pick(8, 3), from: RATE });
  await pause(500);
  const { groups } = await receiver.report();
  return Object.fromEntries(
    Object.entries(groups).map(([key, { bytes, frames }]) => [key, bytes / frames]),
  );
}

function keyOf(name: Format, compress: boolean): string {
  return compress ? `${name}, compressed` : name;
}

/** How long it takes to write a flush, whose frames are JSON already, and to read it, µs. */
function speeds(): Measures {
  const decoder = new TextDecoder();
  return {
    ...speedOf("JSON", jsonBatch, (bytes) => JSON.parse(decoder.decode(bytes))),
    ...speedOf("CBOR", cbor, decodeCbor),
  };
}

function speedOf(name: string, codec: MessageCodec, read: (bytes: Uint8Array) => unknown): Measures {
  const written: number[] = [];
  const taken: number[] = [];
  for (let flush = 0; flush < 1_000; flush++) {
    const payloads = progressBatch(flush, TASKS_A_FLUSH);
    const startMs = performance.now();
    const [message] = codec.messages(payloads, flush);
    const madeMs = performance.now();
    if (message === undefined) throw new Error("a flush is one message");
    read(message.bytes);
    written.push((madeMs - startMs) * 1_000);
    taken.push((performance.now() - madeMs) * 1_000);
  }
  return { [`${name} written`]: median(written.slice(200)), [`${name} read`]: median(taken.slice(200)) };
}

/** K: how large the same is in each format, and how fast. */
export const formats: Scenario = {
  name: "K",
  title: "Formats",
  about:
    "2,000 progress events a second of 100 tasks, flushes of some forty tasks in one message; ten subscribers for each format, " +
    "with compression and without. `changes`: progress is told by what changed of it (`delta=1`). Below, by itself: how long it " +
    "takes to make one message of forty frames whose JSON is there, and to read it.",
  contenders: { "taskwire": sizes, "alone": () => Promise.resolve(speeds()) },
  rows: (measured) => [
    ...NAMES.map((name) => sizeRow(measured, name)),
    ...["written", "read"].map((what): Row => ({
      what: `µs, a flush ${what}, CBOR`,
      ours: precise(measured.of("alone", `CBOR ${what}`)),
      peers: `JSON ${precise(measured.of("alone", `JSON ${what}`))}`,
      floor: "",
      ratio: "",
      target: "",
      met: undefined,
    })),
  ],
};

function sizeRow(measured: Measured, name: Format): Row {
  const size = (key: string) => measured.of("taskwire", key);
  const share = size(name) / size("JSON");
  return {
    what: `bytes of a flush, ${name} (compressed)`,
    ours: `${whole(size(name))} (${whole(size(keyOf(name, true)))})`,
    peers: "",
    floor: "",
    ratio: name === "JSON" ? "" : `${precise(share)} of JSON`,
    target: "",
    met: undefined,
  };
}
