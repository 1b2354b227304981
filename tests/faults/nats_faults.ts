import { assertEquals } from "@std/assert";
import { eventually } from "../eventually.ts";
import type { BareNats } from "../gateway/bare_nats.ts";
import { append, isAnsweredBy, isServing, unready } from "./asking.ts";
import type { Fault } from "./fault.ts";
import { NO_SMALL_DISK } from "./small_disk.ts";
import { hasMore, usersOf, type World } from "./world.ts";

const killed: Fault = {
  name: "nats-server is killed (kill -9)",
  async cause(world) {
    await world.nats.kill();
    const says = await unready(world.gateway);
    await isServing(world);
    await world.nats.restart();
    return { says };
  },
};

const stopped: Fault = {
  name: "nats-server stands still (SIGSTOP)",
  isQuick: true,
  async cause(world, mended) {
    world.nats.pause();
    const answered = append(world.gateway, "meanwhile", "stopped");
    const says = await unready(world.gateway);
    await isServing(world);
    world.nats.resume();
    mended();
    assertEquals((await answered).status, 202);
    assertEquals(await storedTimes(world, "meanwhile"), 1);
    return { says: `${says}; an append waits` };
  },
};

const stoppedLong: Fault = {
  name: "nats-server stands still for longer than appends wait",
  async cause(world, mended) {
    world.nats.pause();
    const says = isAnsweredBy(await append(world.gateway, "long", "stopped-long"), 503, "out of reach");
    await isServing(world);
    world.nats.resume();
    mended();
    // The worker tries again, and what may have been stored meanwhile is stored once.
    const isStored = async () => (await append(world.gateway, "long", "stopped-long")).status === 202;
    await eventually("the log takes it", isStored, 30_000);
    assertEquals(await storedTimes(world, "long"), 1);
    return { says };
  },
};

const diskFull: Fault = {
  name: "nats-server's disk is full",
  impossible: NO_SMALL_DISK,
  isQuick: true,
  async cause(world, mended) {
    await world.disk.fill();
    const answered = append(world.gateway, "full", "full");
    await standsStill(world);
    await isServing(world);
    await world.disk.makeRoom();
    // A server whose stream found no room takes nothing more until it is started anew, and 2.9 answers nothing at all.
    await world.nats.restart();
    mended();
    const { status } = await answered;
    assertEquals(status === 202 || status === 503, true, `append ${status}`);
    return { says: "nothing is taken; room is made, and nats-server started anew" };
  },
};

/** Waits until nothing was taken for a second. */
async function standsStill({ load }: World): Promise<void> {
  let seen = { count: -1, atMs: 0 };
  await eventually("nothing is taken any more", () => {
    if (load.count !== seen.count) seen = { count: load.count, atMs: performance.now() };
    return performance.now() - seen.atMs > 1_000;
  }, 60_000);
}

const purged: Fault = {
  name: "the stream is purged",
  isQuick: true,
  async cause(world) {
    await using operator = await world.operator();
    return { says: "clients go on", lostUpTo: await purge(operator) };
  },
};

const purgedUnseen: Fault = {
  name: "the stream is purged of events that the gateway had not read",
  gap: "retention",
  async cause(world, mended) {
    await using operator = await world.operator();
    await hinder(world, operator);
    await unready(world.gateway);
    await hasMore(world, 20);
    const lostUpTo = await purge(operator);
    await hasMore(world, 20);
    await world.nats.reconfigure(usersOf());
    mended();
    const isTold = () => world.clients.every((client) => client.of("gap").length > 0);
    await eventually("clients are told", isTold);
    return { says: "gap (retention), then how things are", lostUpTo };
  },
};

const recreated: Fault = {
  name: "the stream is deleted and made anew",
  gap: "epoch",
  async cause(world, mended) {
    await using operator = await world.operator();
    await world.load.stop();
    const gaps = world.clients.map((client) => client.of("gap").length);
    const { config } = await operator.api("STREAM.INFO.TASKWIRE");
    await operator.api("STREAM.DELETE.TASKWIRE");
    await operator.api("STREAM.CREATE.TASKWIRE", config);
    world.work("anew");
    mended();
    const isTold = () => world.clients.every((client, i) => client.of("gap").length > (gaps[i] ?? 0));
    await eventually("clients are told", isTold);
    return { says: "gap (epoch), then how things are" };
  },
};

const consumerDeleted: Fault = {
  name: "the gateway's consumer is deleted",
  isQuick: true,
  async cause(world) {
    await using operator = await world.operator();
    assertEquals(await deleteConsumers(operator), 1);
    return { says: "clients go on" };
  },
};

/** Removes every event there is; the position up to which they are gone. */
async function purge(operator: BareNats): Promise<number> {
  await operator.api("STREAM.PURGE.TASKWIRE");
  const { body } = await operator.request("$JS.API.STREAM.INFO.TASKWIRE");
  return JSON.parse(new TextDecoder().decode(body)).state.first_seq - 1;
}

/** Takes the gateway's consumer away, and the right to make another. */
async function hinder(world: World, operator: BareNats): Promise<void> {
  await world.nats.reconfigure(usersOf(["$JS.API.CONSUMER.>"]));
  await deleteConsumers(operator);
}

/** Deletes the consumers there are; how many that were. */
async function deleteConsumers(operator: BareNats): Promise<number> {
  const { body } = await operator.request("$JS.API.CONSUMER.NAMES.TASKWIRE");
  const names: readonly string[] = JSON.parse(new TextDecoder().decode(body)).consumers;
  for (const name of names) await operator.api(`CONSUMER.DELETE.TASKWIRE.${name}`);
  return names.length;
}

/** How often the log has what was said of a task that said one thing. */
async function storedTimes({ gateway }: World, taskId: string): Promise<number> {
  let times = 0;
  await eventually("the gateway knows it", async () => {
    const response = await fetch(`${gateway.url}/api/tasks/${taskId}/events`);
    times = (await response.json()).events?.length ?? 0;
    return times > 0;
  });
  return times;
}

const mayNotPublish: Fault = {
  name: "the gateway's right to publish events is revoked",
  isQuick: true,
  async cause(world, mended) {
    await world.nats.reconfigure(usersOf(["taskwire.task.>"]));
    const says = isAnsweredBy(await append(world.gateway, "revoked", "revoked-1"), 507, "does not take it");
    await isServing(world);
    await hasMore(world, 20);
    await world.nats.reconfigure(usersOf());
    mended();
    await eventually(
      "the log takes it",
      async () => (await append(world.gateway, "revoked", "revoked-1")).status === 202,
    );
    return { says };
  },
};

const mayNotConsume: Fault = {
  name: "the gateway's right to read the stream is revoked",
  async cause(world) {
    await using operator = await world.operator();
    await hinder(world, operator);
    const says = await unready(world.gateway);
    await isServing(world);
    await hasMore(world, 20);
    await world.nats.reconfigure(usersOf());
    return { says };
  },
};

/** What happens to NATS under a gateway. */
export const NATS_FAULTS: readonly Fault[] = [
  consumerDeleted,
  mayNotPublish,
  mayNotConsume,
  stopped,
  stoppedLong,
  killed,
  diskFull,
  purged,
  purgedUnseen,
  recreated,
];
