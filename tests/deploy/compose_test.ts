import { assert, assertEquals } from "@std/assert";
import * as v from "valibot";
import { SETTINGS } from "../../src/settings/environment.ts";
import { readSettings } from "../../src/settings/settings.ts";
import { isFile } from "../programs.ts";
import { DEPLOY, deployed, document } from "./deployed.ts";

const Variables = v.optional(v.record(v.string(), v.string()), {});

const Service = v.strictObject({
  image: v.pipe(v.string(), v.nonEmpty()),
  build: v.optional(v.strictObject({ context: v.string(), dockerfile: v.string() })),
  command: v.optional(v.array(v.string())),
  environment: Variables,
  volumes: v.optional(v.array(v.string()), []),
  tmpfs: v.optional(v.array(v.string())),
  ports: v.optional(v.array(v.pipe(v.string(), v.regex(/^127\.0\.0\.1:\d+:\d+$/))), []),
  secrets: v.optional(v.array(v.string()), []),
  networks: v.union([
    v.array(v.string()),
    v.record(v.string(), v.strictObject({ ipv4_address: v.string() })),
  ]),
  healthcheck: v.optional(
    v.strictObject({
      test: v.array(v.string()),
      interval: v.string(),
      timeout: v.string(),
      retries: v.number(),
    }),
  ),
  depends_on: v.optional(
    v.record(v.string(), v.strictObject({ condition: v.literal("service_healthy") })),
    {},
  ),
  stop_grace_period: v.optional(v.string()),
  ulimits: v.optional(v.strictObject({ nofile: v.number() })),
  restart: v.literal("unless-stopped"),
  // Nothing here may write to its image, or gain rights.
  read_only: v.literal(true),
  cap_drop: v.tuple([v.literal("ALL")]),
  security_opt: v.tuple([v.literal("no-new-privileges:true")]),
});

const Compose = v.looseObject({
  name: v.literal("taskwire"),
  services: v.record(v.string(), Service),
  networks: v.object({
    inside: v.object({ ipam: v.object({ config: v.tuple([v.object({ subnet: v.string() })]) }) }),
  }),
  volumes: v.record(v.string(), v.null()),
  secrets: v.record(v.string(), v.strictObject({ environment: v.string() })),
});

const { services, volumes, secrets } = await document("compose/compose.yaml", Compose);
const FOLDER = new URL("compose/", DEPLOY);
/** The example's environment, as compose reads it from `.env`. */
const EXAMPLE = Object.fromEntries(
  (await deployed("compose/env.example")).split("\n").filter((line) => /^\w/.test(line)).map((line) =>
    [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)] as const
  ),
);

/** A text with the example's values in the place of `${NAME:?}`. Throws where it names another one. */
function interpolated(text: string): string {
  return text.replaceAll(/\$\{(\w+)(?::\?)?\}/g, (_, name: string) => {
    const value = EXAMPLE[name];
    if (value === undefined) throw new Error(`env.example has no ${name}`);
    return value;
  });
}

const environments = Object.entries(services).map(([service, { environment }]) => ({
  service,
  given: Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, interpolated(value)])),
}));

/** What a stop may take beside `DRAIN_MS`, ms. */
const MARGIN_MS = 3_000;

Deno.test("every file that compose.yaml mounts is there, and every volume and secret is declared", () => {
  const lost = Object.entries(services).flatMap(([service, { volumes: mounts, secrets: told, depends_on }]) =>
    [
      ...mounts.filter((mount) => {
        const [from = ""] = mount.split(":");
        return from.startsWith(".")
          ? !isFile(new URL(from, FOLDER).pathname) || !mount.endsWith(":ro")
          : !(from in volumes);
      }),
      ...told.filter((secret) => !(secret in secrets)),
      ...Object.keys(depends_on).filter((other) => services[other]?.healthcheck === undefined),
    ].map((what) => `${service}: ${what}`)
  );
  assertEquals(lost, []);
  for (const { environment } of Object.values(secrets)) assert(environment in EXAMPLE, environment);
});

Deno.test("the images are named with their versions", () => {
  const loose = Object.values(services).map(({ image }) => image)
    .filter((image) => image !== "taskwire" && !/:v?\d+\.\d+/.test(image));
  assertEquals(loose, []);
});

Deno.test("the gateways of compose.yaml have settings that a gateway takes, and nothing that it does not know", () => {
  const gateways = environments.filter(({ service }) => service.startsWith("gateway"));
  assertEquals(gateways.length, 2);
  for (const { service, given } of gateways) {
    // HOST is of the image.
    const read = readSettings({ HOST: "0.0.0.0", ...given });
    assert("settings" in read, "problems" in read ? read.problems.join("\n") : "");
    assertEquals(read.warnings, []);
    const { settings } = read;
    assertEquals([settings.nats?.login.kind, settings.auth.kind, settings.streamReplicas], [
      "user",
      "token",
      3,
    ]);
    const inSettings = Object.keys(given).filter((name) => !name.startsWith("OTEL_"));
    assertEquals(inSettings.filter((name) => !SETTINGS.some((setting) => setting.name === name)), []);
    const grace = Number(/^(\d+)s$/.exec(services[service]?.stop_grace_period ?? "")?.[1]) * 1_000;
    assert(grace >= settings.drainMs + MARGIN_MS, `${service} is killed before it has gone in order`);
    const proxy = services["haproxy"]?.networks;
    const address = proxy === undefined || Array.isArray(proxy) ? "" : proxy["inside"]?.ipv4_address ?? "";
    assert(settings.trustedProxies?.has(address) && !settings.trustedProxies.has("172.30.0.11"));
    for (const server of settings.nats?.servers ?? []) {
      assert(new URL(server).hostname in services, server);
    }
  }
});

Deno.test("the other services of compose.yaml are told what they ask for", async () => {
  const files = await Promise.all(["nats-cluster.conf", "nats-accounts.conf"].map(deployed));
  const asked = files.flatMap((text) =>
    [...text.matchAll(/: \$([A-Z]+_[A-Z_]+)/g)].map(([, name = ""]) => name)
  );
  for (const { service, given } of environments) {
    const names = Object.keys(given);
    if (service.startsWith("nats")) assertEquals(names.sort(), asked.sort(), service);
    else if (service === "grafana") assertEquals(names.filter((name) => !/^GF_[A-Z_]+$/.test(name)), []);
    else assert(service.startsWith("gateway") || names.length === 0, service);
  }
  const used = (await deployed("compose/compose.yaml")).matchAll(/\$\{(\w+)|environment: ([A-Z]\w*)/g);
  assertEquals(
    [...new Set([...used].map(([, one, other]) => one ?? other ?? ""))].sort(),
    Object.keys(EXAMPLE).sort(),
  );
});

Deno.test("whoever names a service of compose.yaml names one that is there, at a port at which it listens", async () => {
  const texts = ["proxy/haproxy.cfg", "monitoring/prometheus.yaml", "monitoring/grafana/datasource.yaml"];
  const all = [
    ...await Promise.all(texts.map(deployed)),
    ...environments.map(({ given }) => JSON.stringify(given)),
  ];
  const named = new Set(
    all.flatMap((
      text,
    ) => [...text.matchAll(/(?<![\w.])((?:gateway|nats)\d|haproxy|prometheus|otel-collector):(\d+)/g)])
      .map(([, name = "", port]) => `${name.replace(/\d$/, "")}:${port}`),
  );
  assertEquals(
    [...named].sort(),
    ["gateway:8000", "haproxy:8405", "nats:4222", "nats:6222", "otel-collector:4318", "prometheus:9090"],
  );
  for (const name of [...named].map((address) => address.split(":")[0] ?? "")) {
    assert(Object.keys(services).some((service) => service.replace(/\d$/, "") === name), name);
  }
});
