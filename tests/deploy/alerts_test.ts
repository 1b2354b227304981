import { assertEquals } from "@std/assert";
import * as v from "valibot";
import { BareNats } from "../gateway/bare_nats.ts";
import { eventually } from "../eventually.ts";
import { withGateway } from "../gateway/gateway_process.ts";
import { startNatsServer } from "../nats_server.ts";
import { hurriedRules } from "./alert_rules.ts";
import { operatorsProgram } from "./binaries.ts";
import { deployed, rewritten } from "./deployed.ts";
import { answers, freePort, ServerProcess } from "./server_process.ts";

const Alerts = v.object({
  data: v.object({
    alerts: v.array(
      v.object({
        state: v.string(),
        labels: v.object({ alertname: v.string(), instance: v.optional(v.string(), "") }),
      }),
    ),
  }),
});

const METRICS_TOKEN = "of-this-test-alone";
/** What the rules look back upon, in place of five minutes. */
const WINDOW = "5s";
/** What an alert may take to fire or to resolve, ms: a few windows, on a machine that has much else to do. */
const WITHIN_MS = 30_000;

const Result = v.object({
  data: v.object({ result: v.array(v.object({ value: v.tuple([v.number(), v.string()]) })) }),
});

/** A real Prometheus with the committed configuration and rules, which looks more often, at these addresses. */
class Prometheus implements AsyncDisposable {
  readonly url: string;
  readonly #folder: string;
  readonly #server: ServerProcess;

  private constructor(url: string, folder: string, server: ServerProcess) {
    this.url = url;
    this.#folder = folder;
    this.#server = server;
  }

  static async start(targets: readonly string[]): Promise<Prometheus> {
    const binary = await operatorsProgram("PROMETHEUS");
    const folder = await Deno.makeTempDir({ prefix: "taskwire-prometheus-" });
    const config = rewritten(await deployed("monitoring/prometheus.yaml"), {
      "10s": "500ms",
      "/run/secrets/metrics_token": `${folder}/token`,
      '"gateway1:8000", "gateway2:8000"': targets.map((target) => `"${target}"`).join(", "),
      '"haproxy:8405"': "",
    });
    await Deno.writeTextFile(`${folder}/prometheus.yaml`, config);
    await Deno.writeTextFile(`${folder}/alerts.yaml`, await hurriedRules(WINDOW));
    await Deno.writeTextFile(`${folder}/token`, METRICS_TOKEN);
    const port = freePort();
    const url = `http://127.0.0.1:${port}`;
    const args = [
      `--config.file=${folder}/prometheus.yaml`,
      `--storage.tsdb.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
    ];
    const server = await ServerProcess.start(binary, args, () => answers(`${url}/-/ready`));
    return new Prometheus(url, folder, server);
  }

  /** The values of a query now. */
  async values(query: string): Promise<number[]> {
    const response = await fetch(`${this.url}/api/v1/query?${new URLSearchParams({ query })}`);
    return v.parse(Result, await response.json()).data.result.map(({ value: [, value] }) => Number(value));
  }

  /** The instances at which this alert fires. */
  async firing(alert: string): Promise<string[]> {
    const { data } = v.parse(Alerts, await (await fetch(`${this.url}/api/v1/alerts`)).json());
    return data.alerts
      .filter(({ state, labels }) => state === "firing" && labels.alertname === alert)
      .map(({ labels }) => labels.instance).sort();
  }

  /** Waits until this alert fires at these instances, and at no other. */
  async fires(alert: string, instances: readonly string[]): Promise<void> {
    const wanted = [...instances].sort().join();
    const where = wanted === "" ? "nowhere" : `at ${wanted}`;
    await eventually(
      `${alert} fires ${where}`,
      async () => (await this.firing(alert)).join() === wanted,
      WITHIN_MS,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

Deno.test("alerts fire when their fault is caused, and resolve when it is mended", async (t) => {
  await using nats = await startNatsServer();
  const settings = {
    NATS_URL: nats.url,
    AUTH: "token",
    AUTH_TOKENS: "app:of-an-app-in-this-test:subscribe",
    METRICS_TOKEN,
  };
  await withGateway({ settings }, (one) =>
    withGateway({ settings }, async (other) => {
      const [first, second] = [`127.0.0.1:${one.port}`, `127.0.0.1:${other.port}`];
      await using prometheus = await Prometheus.start([first, second]);

      await t.step("both gateways are scraped with the token for it, and all is well", async () => {
        await eventually("both are scraped", async () =>
          (await prometheus.values("taskwire_ready")).join() === "1,1");
        await prometheus.fires("TaskwireAllGatewaysDown", []);
        for (const alert of ["GatewayDown", "NotReady", "LogUnreachable", "RejectedEvents", "Incidents"]) {
          await prometheus.fires(`Taskwire${alert}`, []);
        }
      });

      await t.step("what is no event", async () => {
        await using worker = await BareNats.connect(nats.url);
        worker.publish("taskwire.task.a.progress", "no JSON");
        await worker.flush();
        await prometheus.fires("TaskwireRejectedEvents", [first, second]);
        await prometheus.fires("TaskwireRejectedEvents", []);
      });

      await t.step("the NATS server is gone", async () => {
        await nats.kill();
        await prometheus.fires("TaskwireLogUnreachable", [first, second]);
        await prometheus.fires("TaskwireNotReady", [first, second]);
        await nats.restart();
        await prometheus.fires("TaskwireNotReady", []);
        await prometheus.fires("TaskwireLogUnreachable", []);
      });

      await t.step("a gateway is gone, and then the other too", async () => {
        await other.kill();
        await prometheus.fires("TaskwireGatewayDown", [second]);
        assertEquals(await prometheus.firing("TaskwireAllGatewaysDown"), []);
        await one.kill();
        await prometheus.fires("TaskwireAllGatewaysDown", [""]);
        await Promise.all([one.start(), other.start()]);
        await prometheus.fires("TaskwireAllGatewaysDown", []);
        await prometheus.fires("TaskwireGatewayDown", []);
      });
    }));
});
