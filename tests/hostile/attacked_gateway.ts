import { assertEquals } from "@std/assert";
import { eventually } from "../eventually.ts";
import { GatewayProcess } from "../gateway/gateway_process.ts";
import { Bystander, type Served } from "./bystander.ts";
import { processWith, type Seen } from "./process_memory.ts";

/** How a gateway is set up that is attacked. */
export type AttackedOptions = {
  readonly settings?: Readonly<Record<string, string>>;
  /** What a good client's handshake carries, and what reads `/metrics`: an operator's token, say. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Puts something into the log before the gateway is started on it. */
  readonly fill?: (dataDir: string) => Promise<void>;
  /** Has it do once what the attacks have it do, so that what is measured is not what it takes to begin with. */
  readonly warmUp?: (attacked: AttackedGateway) => Promise<void>;
};

/** By how much metrics grow, by their names with labels. */
export type Counts = Readonly<Record<string, number>>;

/** The most by which an attack may leave the gateway larger than it ever was before it. */
const MAX_GROWTH_BYTES = 32 * 1_048_576;
/** Garbage is gone by then: V8 collects it when there was nothing to do for some seconds. */
const SETTLED_MS = 20_000;
/**
 * Others may be served twice as slowly as before; where that would be next to nothing, as slowly as this: on a machine of two
 * cores, with other tests running, any thread may wait so long for its turn. As much longer as everything takes a gateway that
 * waits for a processor meanwhile, it may take too. What the machine alone takes for a round trip at the same time comes on
 * top, a few times, as a gateway that has work to do waits for several turns.
 */
const FLOOR_MS = 25;
const MACHINE_SHARE = 5;
/** How others were served, and how many times longer everything took the gateway as it had no processor of its own. */
type Judged = Served & { readonly slowness: number };

/** The machine can make it look bad, and nothing can make it look good: one attack of so many has to be withstood. */
const ATTEMPTS = 8;
/** How long it is looked at the least how others are served, so that one ping in a hundred is more than one. */
const LOOKED_MS = 300;

/** One gateway that the tests of a file attack one after the other, and somebody who is served by it meanwhile. */
export class AttackedGateway {
  readonly #options: AttackedOptions;
  #dataDir = "";
  #gateway: GatewayProcess | undefined;
  #bystander: Bystander | undefined;
  #process: Seen | undefined;
  /** The most memory that it had between attacks; how much of its garbage is gone at a time is V8's affair. */
  #memory = 0;
  #before: Served = { pings: 0, p99Ms: 0, machineMs: 0 };
  /** The bystander's connections. */
  #others = 0;

  private constructor(options: AttackedOptions) {
    this.#options = options;
  }

  /** Starts it before the first test of the file that calls this, and ends it, in order, after the last. */
  static forAllTests(options: AttackedOptions = {}): AttackedGateway {
    const attacked = new AttackedGateway(options);
    Deno.test.beforeAll(() => attacked.#start());
    Deno.test.afterAll(() => attacked.#stop());
    return attacked;
  }

  /** The gateway, once it was started. */
  get process(): GatewayProcess {
    if (this.#gateway === undefined) throw new Error("The gateway was not started");
    return this.#gateway;
  }

  get port(): number {
    return this.process.port;
  }

  /** What `/proc` tells of it; undefined on systems without. */
  get seen(): Seen | undefined {
    return this.#process;
  }

  /** A counter or gauge of `/metrics`, with its labels; 0 where it is not there yet. */
  async metric(name: string): Promise<number> {
    return valueOf(await this.metrics(), name);
  }

  /** The text of `/metrics`. */
  async metrics(): Promise<string> {
    const response = await fetch(`${this.process.url}/metrics`, { headers: { ...this.#options.headers } });
    const text = await response.text();
    if (!response.ok) throw new Error(`/metrics: ${response.status} ${text}`);
    return text;
  }

  /**
   * Attacks, and holds that others were served meanwhile as before, that nothing failed inside, that metrics grew by what the
   * attack returns, and that what it took of memory is given back.
   */
  async withstands(attack: () => Promise<Counts | void>): Promise<void> {
    this.#memory = Math.max(this.#memory, await this.#process?.memory() ?? 0);
    for (let attempt = 1;; attempt++) {
      await this.emptied();
      const served = await this.#attacked(attack);
      if (this.#isAsBefore(served)) break;
      if (attempt < ATTEMPTS) continue;
      const { p99Ms, pings, machineMs, slowness } = served;
      const machine = `machine ${machineMs.toFixed(1)} ms, ${slowness.toFixed(1)} times slower`;
      const of = `of ${pings} pings; before ${this.#before.p99Ms.toFixed(1)} ms, ${machine}`;
      throw new Error(`${p99Ms.toFixed(1)} ms is the bystander's p99 ${of}`);
    }
    await this.#shrinksTo(this.#memory + MAX_GROWTH_BYTES);
  }

  /**
   * Resolves when the connections of attacks are gone: a gateway that waits for a processor counts those that were left a
   * while longer, and the next attack would meet limits that are not its own.
   */
  async emptied(): Promise<void> {
    const isEmpty = async () => connectionsIn(await this.metrics()) <= this.#others;
    await eventually("the connections of the attack before are gone", isEmpty, SETTLED_MS);
  }

  /** Attacks once; how others were served. */
  async #attacked(attack: () => Promise<Counts | void>): Promise<Judged> {
    const before = await this.metrics();
    const { ran, waited } = await this.#processor();
    let counts: Counts = {};
    const served = await this.#served(async () => {
      counts = await attack() ?? {};
    });
    const after = await this.#processor();
    for (const [name, grown] of Object.entries(counts)) {
      await this.#counted(name, valueOf(before, name) + grown);
    }
    this.#isSound();
    return { ...served, slowness: 1 + (after.waited - waited) / Math.max(1, after.ran - ran) };
  }

  async #processor(): Promise<{ readonly ran: number; readonly waited: number }> {
    return await this.#process?.processor() ?? { ran: 0, waited: 0 };
  }

  #isAsBefore({ p99Ms, machineMs, slowness }: Judged): boolean {
    return p99Ms <= Math.max(2 * this.#before.p99Ms, FLOOR_MS) * slowness + MACHINE_SHARE * machineMs;
  }

  async #served(work: () => Promise<void>): Promise<Served> {
    if (this.#bystander === undefined) throw new Error("The gateway was not started");
    return await this.#bystander.during(async () => {
      await Promise.all([work(), new Promise((resolve) => setTimeout(resolve, LOOKED_MS))]);
    });
  }

  /** What is counted when a connection ends is counted a moment after its end. */
  async #counted(name: string, wanted: number): Promise<void> {
    await eventually(name, async () => await this.metric(name) >= wanted, 5_000).catch(() => {});
    assertEquals(await this.metric(name), wanted, name);
  }

  /** Nothing of ours failed: an incident would be in what it said. */
  #isSound(): void {
    const wrong = this.process.said.split("\n").filter((line) => /incident|uncaught|panicked/i.test(line));
    assertEquals(wrong, []);
  }

  async #shrinksTo(bytes: number): Promise<void> {
    const seen = this.#process;
    if (seen === undefined) return;
    const isSmall = async () => await seen.memory() <= bytes;
    await eventually("what the attack took is given back", isSmall, SETTLED_MS).catch(async (error) => {
      throw new Error(`${((await seen.memory() - bytes) / 1_048_576).toFixed()} MB too many`, {
        cause: error,
      });
    });
  }

  async #start(): Promise<void> {
    const { settings = {}, headers = {}, fill, warmUp } = this.#options;
    this.#dataDir = await Deno.makeTempDir({ prefix: "taskwire-hostile-" });
    await fill?.(this.#dataDir);
    this.#gateway = new GatewayProcess(this.#dataDir, { settings });
    await this.#gateway.start();
    this.#process = await processWith("DATA_DIR", this.#dataDir);
    await warmUp?.(this);
    await this.emptied();
    this.#bystander = await Bystander.connect(`${this.#gateway.wsUrl}/ws?client_id=bystander`, headers);
    this.#before = await this.#served(async () => {});
    this.#others = connectionsIn(await this.metrics());
  }

  async #stop(): Promise<void> {
    try {
      await this.#bystander?.[Symbol.asyncDispose]();
      await this.#gateway?.leave();
    } finally {
      await this.#gateway?.kill();
      await Deno.remove(this.#dataDir, { recursive: true });
    }
  }
}

/** The connections that there are, in whatever state. */
function connectionsIn(metrics: string): number {
  const lines = metrics.split("\n").filter((line) => line.startsWith("taskwire_connections{"));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.indexOf("} ") + 2)), 0);
}

function valueOf(metrics: string, name: string): number {
  const line = metrics.split("\n").find((line) => line.startsWith(`${name} `));
  return line === undefined ? 0 : Number(line.slice(name.length + 1));
}
