import { assert, assertEquals } from "@std/assert";
import * as v from "valibot";
import { readSettings, type Settings } from "../../src/settings/settings.ts";
import { SETTINGS } from "../../src/settings/environment.ts";
import { withGateway } from "../gateway/gateway_process.ts";
import { RULES } from "./alert_rules.ts";
import { onPath, run } from "../programs.ts";
import { DEPLOY, deployed, document, parsed } from "./deployed.ts";
import { image } from "./image.ts";
import { kubernetesObjects } from "./kubernetes_objects.ts";

const FOLDER = new URL("kubernetes/", DEPLOY);
const objects = await kubernetesObjects();
const { kustomization, deployment, service, disruption, autoscaler, network, monitor } = objects;
const pod = deployment.spec.template;
const [container] = pod.spec.containers;

/** The lines of a file of settings. */
async function environment(name: string): Promise<Record<string, string>> {
  const lines = (await deployed(`kubernetes/${name}`)).split("\n").filter((line) => /^\w/.test(line));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
}

const [config, secret] = await Promise.all([environment("gateway.env"), environment("secret.env.example")]);

/** The settings of the gateways. Throws where a gateway would not take them. */
function settings(): Settings {
  const read = readSettings({ HOST: "0.0.0.0", ...config, ...secret });
  if ("problems" in read) throw new Error(read.problems.join("\n"));
  assertEquals(read.warnings, []);
  return read.settings;
}

Deno.test("kustomization.yaml names every object that is there, and nothing else", () => {
  const notObjects = [
    ...kustomization.configurations,
    "kustomization.yaml",
    "prometheus-adapter-values.yaml",
  ];
  const files = [...Deno.readDirSync(FOLDER)].map(({ name }) => name)
    .filter((name) => name.endsWith(".yaml") && !notObjects.includes(name));
  assertEquals([...kustomization.resources].sort(), files.sort());
  assertEquals(files.length, Object.keys(objects).length - 1, "each is held to its kind");
  assertEquals(objects.namespace.metadata.name, kustomization.namespace);
});

Deno.test("whoever selects gateways selects their pods, and names ports that they have", () => {
  const { labels } = pod.metadata;
  for (
    const selected of [
      deployment.spec.selector.matchLabels,
      service.spec.selector,
      disruption.spec.selector.matchLabels,
      network.spec.podSelector.matchLabels,
      ...pod.spec.topologySpreadConstraints.map(({ labelSelector }) => labelSelector.matchLabels),
    ]
  ) assertEquals(selected, labels);
  assertEquals(monitor.spec.selector.matchLabels, service.metadata.labels);
  const ports = container.ports.map(({ name }) => name);
  assertEquals(ports, ["http"]);
  const probes = [container.startupProbe, container.livenessProbe, container.readinessProbe];
  for (
    const port of [
      ...probes.map(({ httpGet }) => httpGet.port),
      ...service.spec.ports.map(({ targetPort }) => targetPort),
      ...network.spec.ingress.flatMap((rule) => rule.ports.map(({ port }) => port)),
    ]
  ) assert(ports.includes(String(port)), String(port));
  assert(service.spec.ports.some(({ name }) => name === monitor.spec.endpoints[0].port));
});

Deno.test("the gateways have settings that a gateway takes, each from where it belongs", () => {
  const { port, nats, maxConnections } = settings();
  assertEquals(container.ports[0]?.containerPort, port);
  const secrets = SETTINGS.filter((setting) => setting.secret === true).map(({ name }): string => name);
  assertEquals(
    Object.keys(config).filter((name) => secrets.includes(name)),
    [],
    "no secret in the ConfigMap",
  );
  assertEquals(Object.keys(secret).filter((name) => !secrets.includes(name)), []);
  const [{ configMapRef }, { secretRef }] = container.envFrom;
  assertEquals(configMapRef.name, kustomization.configMapGenerator[0].name);
  assertEquals(secretRef.name, kustomization.secretGenerator[0].name);
  assertEquals(pod.spec.serviceAccountName, objects.serviceAccount.metadata.name);
  const { credentials } = monitor.spec.endpoints[0].authorization;
  assertEquals([credentials.name, credentials.key in secret], [secretRef.name, true]);
  // The network's policy lets them to where their settings send them.
  const natsPorts = (nats?.servers ?? []).map((server) => Number(new URL(server).port));
  const open = network.spec.egress.flatMap(({ ports }) => ports.map(({ port }) => port));
  assertEquals(natsPorts.filter((port) => !open.includes(port)), []);
  // When half of two gateways goes, the other has room for all.
  assert(2 * Number(autoscaler.spec.metrics[0].pods.target.averageValue) <= maxConnections);
});

Deno.test("a pod has the time to go in order, as the user of the image, one after another", async () => {
  const { seconds } = container.lifecycle.preStop.sleep;
  const { terminationGracePeriodSeconds: grace, securityContext } = pod.spec;
  assert(grace * 1_000 >= seconds * 1_000 + settings().drainMs + 5_000);
  // It is out of the service's endpoints before it begins to go.
  assert(seconds >= container.readinessProbe.periodSeconds);
  assertEquals(`${securityContext.runAsUser}:${securityContext.runAsGroup}`, (await image()).user);
  assertEquals(container.image, kustomization.images[0].name);
  assertEquals([deployment.spec.strategy.rollingUpdate.maxUnavailable, disruption.spec.maxUnavailable], [
    0,
    1,
  ]);
  assert(autoscaler.spec.minReplicas >= 2);
  const { scaleTargetRef } = autoscaler.spec;
  assertEquals(scaleTargetRef, {
    apiVersion: deployment.apiVersion,
    kind: deployment.kind,
    name: deployment.metadata.name,
  });
});

Deno.test("a gateway answers where it is probed and scraped, and has the metric by which there are more of them", async () => {
  const { rules } = await document(
    "kubernetes/prometheus-adapter-values.yaml",
    v.object({
      rules: v.object({
        custom: v.tuple([v.object({ seriesQuery: v.string(), name: v.object({ matches: v.string() }) })]),
      }),
    }),
  );
  const { metric } = autoscaler.spec.metrics[0].pods;
  const [{ seriesQuery, name }] = rules.custom;
  assert(seriesQuery.startsWith(`${metric.name}{`) && new RegExp(name.matches).test(metric.name));
  await withGateway({}, async (gateway) => {
    for (const { httpGet } of [container.startupProbe, container.livenessProbe, container.readinessProbe]) {
      await gateway.get(httpGet.path);
    }
    const text = await (await fetch(`${gateway.url}${monitor.spec.endpoints[0].path}`)).text();
    assert(text.includes(`\n${metric.name}{`), metric.name);
  });
});

Deno.test("the command that makes the alerts an object of the operator's makes one, with all of them", async () => {
  const text = await deployed("kubernetes/service-monitor.yaml");
  const command = /^# +(\(printf .*\)) \| kubectl apply -f -$/m.exec(text)?.[1] ?? "";
  const made = parsed(await run("sh", ["-c", command], { cwd: FOLDER.pathname }), "what the command makes");
  const groups = (await document(RULES, v.object({ groups: v.array(v.unknown()) }))).groups;
  assertEquals(made, [{
    apiVersion: monitor.apiVersion,
    kind: "PrometheusRule",
    metadata: { name: "taskwire", namespace: kustomization.namespace },
    spec: { groups },
  }]);
  // By which name the alerts know the gateways.
  assertEquals(kustomization.labels[0].pairs[monitor.spec.jobLabel], "taskwire");
});

const kubectl = onPath(["kubectl"]);
const kustomize = onPath(["kustomize"]);

Deno.test({
  // What is written is held to its kinds above. Neither tool is one of Debian's packages.
  name: "kustomize makes of it what is applied (where there is kubectl or kustomize)",
  ignore: kubectl === undefined && kustomize === undefined,
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "taskwire-kustomize-" });
    try {
      for (const { name } of Deno.readDirSync(FOLDER)) {
        await Deno.copyFile(new URL(name, FOLDER), `${folder}/${name}`);
      }
      await Deno.copyFile(new URL("secret.env.example", FOLDER), `${folder}/secret.env`);
      const made = kustomize === undefined
        ? await run(kubectl ?? "kubectl", ["kustomize", folder])
        : await run(kustomize, ["build", folder]);
      const kinds = parsed(made, "what kustomize made")
        .map((object) => v.parse(v.looseObject({ kind: v.string() }), object).kind);
      assertEquals(kinds.length, kustomization.resources.length + 2);
      const names = new Set([...made.matchAll(/name: (gateway-\w{10})$/gm)].map(([, name]) => name));
      assertEquals(names.size, 2, "a ConfigMap and a Secret");
      assert(
        /credentials:\n\s+key: METRICS_TOKEN\n\s+name: gateway-\w{10}\n/.test(made),
        "Prometheus finds the token",
      );
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
