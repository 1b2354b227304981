/** `deno task rolling`: see its `--help`. */
import { Command, InvalidArgumentError, Option } from "commander";
import { PROXIES, type ProxyKind } from "../deploy/proxies.ts";
import { afterSlot, type Bounds, dials, type Drain, faultsOfDrain, faultsOfTelling } from "./judgement.ts";
import { rolling } from "./rolling.ts";
import { bars, histogram, mostInAWindow, WINDOW_MS } from "./windows.ts";

/**
 * A client is back some milliseconds after its slot: it dials through the proxy, which may have to ask a second gateway,
 * and is greeted. The rest of this is for a machine that runs everything, the clients included, and other things beside;
 * one that had to dial twice is a lost connection in any case.
 */
const BOUNDS: Bounds = { toleranceMs: 2_000, share: 0.1, spread: "measured" };

const options = new Command("rolling")
  .description(
    "Restarts all gateways, one after the other, behind a real proxy, under load, and judges what clients saw.",
  )
  .option("--clients <n>", "connections of the project's client, each watching status changes", whole, 300)
  .option("--gateways <n>", "processes on one NATS", whole, 3)
  .addOption(
    new Option("--proxy <kind>", "as deploy/proxy configures it").choices([...PROXIES]).default("haproxy"),
  )
  .option("--cluster", "three nats-servers with three copies; the leader is killed before each gateway goes")
  .option("--drain-ms <ms>", "DRAIN_MS of the gateways", whole, 15_000)
  .parse()
  .opts<{ clients: number; gateways: number; proxy: ProxyKind; cluster?: true; drainMs: number }>();

Deno.exit(await run() ? 0 : 1);

async function run(): Promise<boolean> {
  const { clients, gateways, proxy, cluster = false, drainMs } = options;
  print(
    `${gateways} gateways behind ${proxy} on ${
      cluster ? "three nats-servers, three copies" : "one nats-server"
    }; ` +
      `${clients} clients, 200 events/s; ${navigator.hardwareConcurrency} cores, load ${
        Deno.loadavg()[0]?.toFixed(1)
      } before`,
  );
  const rolled = await rolling({ clients, gateways, proxy, cluster, drainMs, onDrain, tell: print });
  const { differences, events, acknowledged, statuses } = rolled;
  print(
    `${events} events in the log, ${acknowledged} acknowledged; of ${statuses} status changes each client was told: ` +
      `lost ${differences.lost}, doubled ${differences.doubled}, out of order ${differences.disordered}; ` +
      `sent twice ${differences.repeated}, gaps and lost connections ${differences.others.length}`,
  );
  const faults = [
    ...rolled.drains.flatMap((drain) => faultsOfDrain(drain, BOUNDS)),
    ...faultsOfTelling(differences),
    ...(events === acknowledged ? [] : [`${events} events in the log, ${acknowledged} acknowledged`]),
  ];
  for (const fault of faults) print(`FAULT ${fault}`);
  if (faults.length === 0) print("no fault");
  return faults.length === 0;
}

function onDrain({ gateway, signalledMs, endedMs, drainMs, moves, seen }: Drain): void {
  const toldMs = Math.min(...moves.map(({ toldMs }) => toldMs));
  const counts = histogram(dials(moves), toldMs);
  const most = mostInAWindow(dials(moves));
  const greeted = mostInAWindow(moves.map(({ backMs = Infinity }) => backMs));
  const share = (count: number): string => `${count} (${(100 * count / moves.length).toFixed(1)} %)`;
  const late = afterSlot(moves);
  const at = (share: number): string => (late[Math.ceil(share * late.length) - 1] ?? NaN).toFixed(1);
  const slots = moves.map(({ slotMs }) => slotMs);
  const closed = moves.filter(({ code }) => code === 1012).length;
  const seconds = (ms: number): string => (ms / 1_000).toFixed(1);
  print(
    `gateway ${gateway}: /readyz ${seen.readyz} when told; ${moves.length} clients told within ` +
      `${(Math.max(...moves.map((move) => move.toldMs)) - toldMs).toFixed()} ms, slots ${
        Math.min(...slots)
      }–` +
      `${Math.max(...slots)} ms; closed with 1012: ${closed}, gone by themselves: ${
        moves.length - closed
      }; ` +
      `ended after ${seconds(endedMs - signalledMs)} s of ${seconds(drainMs)}`,
  );
  print(
    `  back after their slot: p50 ${at(0.5)}, p99 ${at(0.99)}, last ${
      at(1)
    } ms (held to ${BOUNDS.toleranceMs})`,
  );
  print(`  |${bars(counts)}| reconnects by ${WINDOW_MS} ms: ${counts.join(" ")}`);
  print(
    `  most in any ${WINDOW_MS} ms of ${moves.length}: ${share(most)} dial, held to ${
      100 * BOUNDS.share
    } %; ` +
      `${share(greeted)} are greeted`,
  );
}

function whole(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1) {
    throw new InvalidArgumentError("It must be a whole number above 0.");
  }
  return number;
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
