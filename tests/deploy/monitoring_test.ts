import { assert, assertEquals } from "@std/assert";
import * as v from "valibot";
import { parseSamples } from "../../src/dashboard/prometheus_text.ts";
import { eventually } from "../eventually.ts";
import { run } from "../programs.ts";
import { TestClient } from "../websocket_client.ts";
import { withGateway } from "../gateway/gateway_process.ts";
import { alertRules, RULES } from "./alert_rules.ts";
import { operatorsProgram } from "./binaries.ts";
import { DEPLOY, deployed, document } from "./deployed.ts";

const Dashboard = v.object({
  uid: v.string(),
  panels: v.array(v.object({
    id: v.number(),
    type: v.picklist(["row", "stat", "timeseries"]),
    title: v.pipe(v.string(), v.nonEmpty()),
    gridPos: v.object({ x: v.number(), y: v.number(), w: v.number(), h: v.number() }),
    targets: v.optional(v.array(v.object({ refId: v.string(), expr: v.string() })), []),
  })),
  templating: v.object({ list: v.array(v.object({ name: v.string(), query: v.unknown() })) }),
});

const dashboard = v.parse(Dashboard, JSON.parse(await deployed("monitoring/grafana/taskwire.json")));
const rules = await alertRules();

/** A series that a query asks for: its name, and what is asked of its labels. */
type Asked = {
  readonly metric: string;
  readonly labels: readonly [name: string, values: readonly string[]][];
};

/** The series of ours that a query asks for. */
function asked(query: string): Asked[] {
  return [...query.matchAll(/\b(taskwire_\w+)(?:\{([^}]*)\})?/g)].map(([, metric = "", selectors = ""]) => ({
    metric,
    labels: [...selectors.matchAll(/(\w+)(=~?|!=)"([^"]*)"/g)]
      .map(([, name = "", operator, values = ""]) =>
        [name, operator === "!=" ? [] : values.split("|")] as const satisfies [string, string[]]
      ),
  }));
}

/** Labels that Prometheus adds, of which /metrics says nothing. */
const OF_PROMETHEUS = ["job", "instance"];

const QUERIES = [
  ...rules.map(({ alert, expr }) => ({ where: alert, query: expr })),
  ...dashboard.panels.flatMap(({ title, targets }) =>
    targets.map(({ expr }) => ({ where: title, query: expr }))
  ),
];

Deno.test("every metric, label and value that alerts and the dashboard ask for is told by a gateway", async () => {
  await withGateway({}, async (gateway) => {
    await using client = await TestClient.connect(`${gateway.wsUrl}/ws?topics=task:status`);
    await client.request("ping");
    await gateway.post("a", [{ kind: "started" }]);
    await client.next("task_status");
    const missing = await fetch(`${gateway.url}/api/tasks/nobodys`);
    await missing.body?.cancel();
    await client.close();
    const told = async (): Promise<string> => await (await fetch(`${gateway.url}/metrics`)).text();
    await eventually(
      "the close is counted",
      async () => (await told()).includes("taskwire_connections_closed_total{"),
    );
    const samples = parseSamples(await told());
    const isTold = ({ metric, labels }: Asked): string | undefined => {
      const found = samples.filter(({ name }) => name === metric);
      if (found.length === 0) return `there is no ${metric}`;
      const wrong = labels.filter(([name]) => !OF_PROMETHEUS.includes(name)).find(([name, values]) =>
        // That it answered with 5xx is nothing that can be brought about here.
        !(values.length === 0
          ? found.some(({ labels }) => name in labels)
          : values.every((value) => value === "5xx" || found.some(({ labels }) => labels[name] === value)))
      );
      return wrong === undefined ? undefined : `${metric} has no ${wrong.join("=")}`;
    };
    const untold = QUERIES.flatMap(({ where, query }) =>
      asked(query).map(isTold).filter((problem) => problem !== undefined).map((problem) =>
        `${where}: ${problem}`
      )
    );
    assertEquals(untold, []);
    assert(QUERIES.every(({ query }) => asked(query).length > 0 || query.includes("up{")));
    // And the other way: what is told is shown somewhere.
    const names = new Set(samples.map(({ name }) => name.replace(/_(bucket|sum|count)$/, "")));
    const shown = QUERIES.map(({ query }) => query).join("\n");
    assertEquals([...names].filter((name) => !shown.includes(name)), []);
  });
});

Deno.test("Prometheus takes the alert rules, its configuration, and every query of the dashboard", async () => {
  const promtool = await operatorsProgram("PROMTOOL");
  await run(promtool, ["check", "rules", "--lint-fatal", new URL(RULES, DEPLOY).pathname]);
  // The token's file is where Prometheus runs.
  await run(promtool, [
    "check",
    "config",
    "--syntax-only",
    new URL("monitoring/prometheus.yaml", DEPLOY).pathname,
  ]);
  const folder = await Deno.makeTempDir({ prefix: "taskwire-queries-" });
  try {
    const queries = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)).map((
      expr,
      i,
    ) => ({
      record: `panel:${i}`,
      expr: expr.replaceAll(/\$__(rate_interval|range)\b/g, "5m"),
    }));
    await Deno.writeTextFile(
      `${folder}/rules.yaml`,
      JSON.stringify({ groups: [{ name: "all", rules: queries }] }),
    );
    await run(promtool, ["check", "rules", `${folder}/rules.yaml`]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the dashboard's panels have names of their own, and none lies on another", () => {
  const panels = dashboard.panels;
  assertEquals(new Set(panels.map(({ id }) => id)).size, panels.length);
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, i) => `${x + i % w},${y + Math.floor(i / w)}`)
  );
  assertEquals(new Set(cells).size, cells.length);
  assert(panels.every(({ gridPos: { x, w } }) => x + w <= 24));
});

/** Series by their selector, as promtool writes their values: from 0 by 15 s. */
type Series = Readonly<Record<string, string>>;

const G1 = 'job="taskwire",instance="g1"';
const G2 = 'job="taskwire",instance="g2"';
/** A quiet and healthy pair of gateways, for half an hour. */
const HEALTHY: Series = Object.fromEntries([G1, G2].flatMap((g) => [
  [`up{${g}}`, "1x120"],
  [`taskwire_ready{${g}}`, "1x120"],
  [`taskwire_log_reachable{${g}}`, "1x120"],
  [`taskwire_log_followed{${g}}`, "0+100x120"],
  [`taskwire_max_connections{${g}}`, "1000x120"],
  [`taskwire_connections{${g},state="live"}`, "100x120"],
  [`taskwire_connections{${g},state="behind"}`, "2x120"],
  [`taskwire_rejected_events_total{${g}}`, "3x120"],
  [`taskwire_appends_total{${g},outcome="failed"}`, "0x120"],
  [`taskwire_evicted_tasks_under_way_total{${g}}`, "0x120"],
  [`taskwire_stale_tasks{${g}}`, "0x120"],
  [`taskwire_plugins_disabled{${g}}`, "0x120"],
  [`taskwire_lag_ms_bucket{${g},le="100"}`, "0+50x120"],
  [`taskwire_lag_ms_bucket{${g},le="5000"}`, "0+50x120"],
  [`taskwire_lag_ms_bucket{${g},le="+Inf"}`, "0+50x120"],
  [`taskwire_flush_ms_bucket{${g},le="1"}`, "0+50x120"],
  [`taskwire_flush_ms_bucket{${g},le="200"}`, "0+50x120"],
  [`taskwire_flush_ms_bucket{${g},le="+Inf"}`, "0+50x120"],
  [`taskwire_event_loop_late_ms{${g}}`, "20x120"],
  [`taskwire_replays_waiting{${g}}`, "0x120"],
  [`taskwire_incidents_total{${g},whose="ours"}`, "0x120"],
  [`taskwire_http_requests_total{${g},route="/readyz",method="GET",status="5xx"}`, "0+15x120"],
  [`taskwire_http_requests_total{${g},route="/api/tasks",method="GET",status="5xx"}`, "0x120"],
  [`taskwire_http_requests_total{${g},route="/api/tasks",method="GET",status="4xx"}`, "0x120"],
  [`taskwire_errors_total{${g},code="UNAUTHORIZED"}`, "0x120"],
  [`taskwire_refused_total{${g},limit="MAX_TOPICS"}`, "0x120"],
]));

/** What makes each alert fire: values in the place of healthy ones. `_` means that there is none. */
const FAULTS: Readonly<Record<string, Series>> = {
  TaskwireGatewayDown: { [`up{${G1}}`]: "0x120" },
  TaskwireAllGatewaysDown: { [`up{${G1}}`]: "0x120", [`up{${G2}}`]: "_x120" },
  TaskwireNotReady: { [`taskwire_ready{${G1}}`]: "0x120" },
  TaskwireLogUnreachable: { [`taskwire_log_reachable{${G2}}`]: "0x120" },
  TaskwireGatewayBehind: {
    [`taskwire_log_followed{${G1}}`]: "0+1x120",
    [`taskwire_log_followed{${G2}}`]: "20000x120",
  },
  TaskwireRejectedEvents: { [`taskwire_rejected_events_total{${G1}}`]: "3+1x120" },
  TaskwireAppendsFail: { [`taskwire_appends_total{${G1},outcome="failed"}`]: "0+1x120" },
  TaskwirePluginDisabled: { [`taskwire_plugins_disabled{${G1}}`]: "1x120" },
  TaskwireTasksForgotten: { [`taskwire_evicted_tasks_under_way_total{${G1}}`]: "0+1x120" },
  TaskwireTasksStale: { [`taskwire_stale_tasks{${G1}}`]: "2x120" },
  TaskwireLagHigh: { [`taskwire_lag_ms_bucket{${G1},le="100"}`]: "0+40x120" },
  TaskwireFlushSlow: { [`taskwire_flush_ms_bucket{${G1},le="1"}`]: "0+40x120" },
  TaskwireEventLoopLate: { [`taskwire_event_loop_late_ms{${G1}}`]: "800x120" },
  TaskwireConnectionsNearMaximum: { [`taskwire_connections{${G1},state="live"}`]: "850x120" },
  TaskwireClientsBehind: { [`taskwire_connections{${G1},state="behind"}`]: "60x120" },
  TaskwireReplaysWait: { [`taskwire_replays_waiting{${G1}}`]: "3x120" },
  TaskwireIncidents: { [`taskwire_incidents_total{${G1},whose="ours"}`]: "0+1x120" },
  TaskwireServerErrors: {
    [`taskwire_http_requests_total{${G1},route="/api/tasks",method="GET",status="5xx"}`]: "0+15x120",
  },
  TaskwireAuthFailures: { [`taskwire_errors_total{${G1},code="UNAUTHORIZED"}`]: "0+30x120" },
  TaskwireRequestsRefused: {
    [`taskwire_http_requests_total{${G1},route="/api/tasks",method="GET",status="4xx"}`]: "0+300x120",
  },
  TaskwireLimitHit: { [`taskwire_refused_total{${G1},limit="MAX_TOPICS"}`]: "0+1x120" },
};

Deno.test("each alert fires at its fault, and none at a quiet and healthy pair of gateways", async () => {
  assertEquals(Object.keys(FAULTS).sort(), rules.map(({ alert }) => alert).sort());
  const promtool = await operatorsProgram("PROMTOOL");
  const firing = (alert: string, fault: Series) => ({
    interval: "15s",
    input_series: Object.entries({ ...HEALTHY, ...fault }).map(([series, values]) => ({ series, values })),
    promql_expr_test: [{
      expr: `count by (alertname) (ALERTS{alertstate="firing"${
        alert === "" ? "" : `,alertname="${alert}"`
      }})`,
      eval_time: "12m",
      exp_samples: alert === "" ? [] : [{ labels: `{alertname="${alert}"}`, value: 1 }],
    }],
  });
  const folder = await Deno.makeTempDir({ prefix: "taskwire-rules-" });
  try {
    const tests = Object.entries({ "": {}, ...FAULTS }).map(([alert, fault]) => firing(alert, fault));
    const file = { rule_files: [new URL(RULES, DEPLOY).pathname], evaluation_interval: "30s", tests };
    await Deno.writeTextFile(`${folder}/tests.yaml`, JSON.stringify(file));
    await run(promtool, ["test", "rules", `${folder}/tests.yaml`]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("Grafana finds the dashboard and its source where compose.yaml puts them", async () => {
  const { datasources } = await document(
    "monitoring/grafana/datasource.yaml",
    v.object({
      apiVersion: v.literal(1),
      datasources: v.array(v.object({ type: v.string(), url: v.string() })),
    }),
  );
  assertEquals(datasources.map(({ type, url }) => [type, url]), [["prometheus", "http://prometheus:9090"]]);
});
