import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { ConnectOptions, Frame, TestClient } from "../websocket_client.ts";
import { eventOf, LiveGateway } from "./live_gateway.ts";
import { type RandomInput, randomInput } from "./random_input.ts";

const SEEDS = Array.from({ length: 20 }, (_, i) => i + 1);
const INPUTS_PER_SEED = 500;
/** So many invalid frames end a connection. */
const MAX_STRIKES = 10;
/** How connections are made, one after the other: what is sent and told is the same in all of these ways. */
const WAYS: readonly ConnectOptions[] = [
  {},
  { compress: true },
  { protocols: ["taskwire.v1.json"], compress: true },
  { protocols: ["taskwire.v1.cbor"] },
];

/** The inputs of one connection after the other: each is ended by its tenth invalid one. */
function* lives(inputs: readonly RandomInput[]): Generator<readonly RandomInput[]> {
  let life: RandomInput[] = [];
  let strikes = 0;
  for (const input of inputs) {
    life.push(input);
    if (input.answer === "INVALID_MESSAGE") strikes++;
    if (strikes < MAX_STRIKES) continue;
    yield life;
    [life, strikes] = [[], 0];
  }
  if (life.length > 0) yield life;
}

function strikesOf(inputs: readonly RandomInput[]): number {
  return inputs.filter(({ answer }) => answer === "INVALID_MESSAGE").length;
}

/** What came for these inputs: by id what answered it, and the codes of the errors that have an id of the server's. */
function answersTo(
  inputs: readonly RandomInput[],
  frames: readonly Frame[],
): [Map<string, string[]>, string[]] {
  const byId = new Map<string, string[]>(inputs.flatMap(({ id }) => id === undefined ? [] : [[id, []]]));
  const others: string[] = [];
  for (const frame of frames) {
    const answer = frame.type === "error" ? frame.error.code : frame.type;
    const answered = byId.get(frame.id);
    if (answered !== undefined) answered.push(answer);
    else if (frame.type === "error") others.push(answer);
  }
  return [byId, others];
}

/** The inputs that were not answered once and as they should be, and what came instead. */
function wrong(inputs: readonly RandomInput[], frames: readonly Frame[]): unknown[] {
  const [byId, others] = answersTo(inputs, frames);
  const nameless = inputs.filter(({ id }) => id === undefined);
  const named = inputs.flatMap(({ message, id, answer }) => {
    const came = id === undefined ? answer : byId.get(id)?.join(" ");
    return came === answer ? [] : [{ message: String(message).slice(0, 500), id, answer, came }];
  });
  const expected = nameless.map(({ answer }) => answer).join(" ");
  return others.join(" ") === expected ? named : [...named, { nameless, came: others }];
}

/** Sends all, and checks that each is answered and how the connection ends; returns what was answered wrongly. */
async function live(client: TestClient, inputs: readonly RandomInput[]): Promise<unknown[]> {
  const isEnded = strikesOf(inputs) === MAX_STRIKES;
  const before = isEnded ? inputs.slice(0, -1) : inputs;
  for (const { message } of before) client.send(message);
  assertEquals((await client.request("ping")).type, "pong");
  // Some answers come later than others, but none takes long.
  await client.until((frames) => wrong(before, frames).length === 0, "the last answer").catch(() => {});
  if (isEnded) {
    client.send(inputs.at(-1)?.message);
    assertEquals((await client.ended()).code, 4400);
  } else {
    await client.close();
  }
  return wrong(inputs, client.frames);
}

/** Someone else, whose task goes on meanwhile. */
class Bystander {
  readonly #gateway: LiveGateway;
  readonly #client: TestClient;
  readonly #seqs: number[] = [];

  constructor(gateway: LiveGateway, client: TestClient) {
    this.#gateway = gateway;
    this.#client = client;
  }

  /** Something happens to its task, of which it hears. */
  async hears(): Promise<void> {
    const seq = await this.#gateway.append(
      eventOf("mine", this.#seqs.length % 2 === 0 ? "paused" : "resumed"),
    );
    this.#seqs.push(seq);
    assertEquals((await this.#client.next("task_status")).seq, seq);
    assertEquals((await this.#client.request("ping")).type, "pong");
  }

  /** What it heard of, and of nothing else. */
  undisturbed(): void {
    const { frames } = this.#client;
    assertEquals(frames.flatMap((frame) => frame.type === "task_status" ? [frame.seq] : []), this.#seqs);
    const types = new Set(frames.map(({ type }) => type));
    assertEquals([...types], ["welcome", "subscribed", "caught_up", "task_status", "pong"]);
  }
}

Deno.test("10,000 random inputs are each answered as the protocol has it, and disturb nobody", async () => {
  await using gateway = await LiveGateway.start({
    MESSAGES_PER_SECOND: "1000000",
    MESSAGES_BURST: "1000000",
    RETAIN_PER_SUBJECT: "5",
    FLUSH_MS: "1",
  });
  await gateway.append(
    eventOf("job1", "created", { tags: ["eu"] }),
    eventOf("job1", "progress", { total: 2, completed: 1 }),
  );
  await using client = await gateway.connect("/ws?topics=task:id:mine:status");
  await client.next("caught_up");
  const bystander = new Bystander(gateway, client);
  let [sent, connections] = [0, 0];
  for (const seed of SEEDS) {
    for (const inputs of lives(fc.sample(randomInput, { seed, numRuns: INPUTS_PER_SEED }))) {
      await using one = await gateway.connect("/ws", WAYS[connections++ % WAYS.length]);
      assertEquals(await live(one, inputs), [], `seed ${seed}`);
      sent += inputs.length;
      assertEquals(gateway.incidents, []);
      await bystander.hears();
    }
  }
  assertEquals(sent, SEEDS.length * INPUTS_PER_SEED);
  bystander.undisturbed();
});
