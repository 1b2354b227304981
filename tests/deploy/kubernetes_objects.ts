import * as v from "valibot";
import { document } from "./deployed.ts";

/**
 * Of each kind what we write of it, and nothing else, so that a name that is misspelt or at the wrong place is found. What a
 * cluster takes beyond that is its own schema's business, to which these were held when they were written.
 */
const Labels = v.record(v.string(), v.string());
const Selector = v.strictObject({ matchLabels: Labels });
const Meta = v.strictObject({ name: v.string(), labels: v.optional(Labels, {}) });
const Port = v.union([v.number(), v.string()]);
const Named = v.strictObject({ name: v.string() });
const HttpGet = v.strictObject({ path: v.string(), port: Port });
const Probe = v.strictObject({
  httpGet: HttpGet,
  periodSeconds: v.number(),
  timeoutSeconds: v.optional(v.number()),
  failureThreshold: v.number(),
});
const Quantities = v.record(v.picklist(["cpu", "memory"]), v.pipe(v.string(), v.regex(/^\d+(m|Mi|Gi)?$/)));

const Container = v.strictObject({
  name: v.string(),
  image: v.string(),
  envFrom: v.tuple([v.strictObject({ configMapRef: Named }), v.strictObject({ secretRef: Named })]),
  ports: v.array(v.strictObject({ name: v.string(), containerPort: v.number() })),
  startupProbe: Probe,
  livenessProbe: Probe,
  readinessProbe: Probe,
  lifecycle: v.strictObject({
    preStop: v.strictObject({ sleep: v.strictObject({ seconds: v.number() }) }),
  }),
  resources: v.strictObject({ requests: Quantities, limits: Quantities }),
  securityContext: v.strictObject({
    allowPrivilegeEscalation: v.literal(false),
    readOnlyRootFilesystem: v.literal(true),
    capabilities: v.strictObject({ drop: v.tuple([v.literal("ALL")]) }),
  }),
});

const Pod = v.strictObject({
  serviceAccountName: v.string(),
  automountServiceAccountToken: v.literal(false),
  enableServiceLinks: v.literal(false),
  terminationGracePeriodSeconds: v.number(),
  securityContext: v.strictObject({
    runAsNonRoot: v.literal(true),
    runAsUser: v.number(),
    runAsGroup: v.number(),
    seccompProfile: v.strictObject({ type: v.literal("RuntimeDefault") }),
  }),
  topologySpreadConstraints: v.array(v.strictObject({
    maxSkew: v.number(),
    topologyKey: v.string(),
    whenUnsatisfiable: v.picklist(["ScheduleAnyway", "DoNotSchedule"]),
    labelSelector: Selector,
  })),
  containers: v.tuple([Container]),
});

const Deployment = v.strictObject({
  apiVersion: v.literal("apps/v1"),
  kind: v.literal("Deployment"),
  metadata: Meta,
  spec: v.strictObject({
    selector: Selector,
    strategy: v.strictObject({
      type: v.literal("RollingUpdate"),
      rollingUpdate: v.strictObject({ maxSurge: v.number(), maxUnavailable: v.number() }),
    }),
    minReadySeconds: v.number(),
    template: v.strictObject({ metadata: v.strictObject({ labels: Labels }), spec: Pod }),
  }),
});

const Service = v.strictObject({
  apiVersion: v.literal("v1"),
  kind: v.literal("Service"),
  metadata: Meta,
  spec: v.strictObject({
    selector: Labels,
    ports: v.array(v.strictObject({ name: v.string(), port: v.number(), targetPort: Port })),
  }),
});

const PodDisruptionBudget = v.strictObject({
  apiVersion: v.literal("policy/v1"),
  kind: v.literal("PodDisruptionBudget"),
  metadata: Meta,
  spec: v.strictObject({ maxUnavailable: v.number(), selector: Selector }),
});

const HorizontalPodAutoscaler = v.strictObject({
  apiVersion: v.literal("autoscaling/v2"),
  kind: v.literal("HorizontalPodAutoscaler"),
  metadata: Meta,
  spec: v.strictObject({
    scaleTargetRef: v.strictObject({ apiVersion: v.string(), kind: v.string(), name: v.string() }),
    minReplicas: v.number(),
    maxReplicas: v.number(),
    metrics: v.tuple([v.strictObject({
      type: v.literal("Pods"),
      pods: v.strictObject({
        metric: Named,
        target: v.strictObject({
          type: v.literal("AverageValue"),
          averageValue: v.pipe(v.string(), v.regex(/^\d+$/)),
        }),
      }),
    })]),
    behavior: v.strictObject({
      scaleUp: v.strictObject({ stabilizationWindowSeconds: v.number() }),
      scaleDown: v.strictObject({
        stabilizationWindowSeconds: v.pipe(v.number(), v.maxValue(3_600)),
        policies: v.array(
          v.strictObject({
            type: v.literal("Pods"),
            value: v.number(),
            periodSeconds: v.pipe(v.number(), v.maxValue(1_800)),
          }),
        ),
      }),
    }),
  }),
});

const Peers = v.array(v.strictObject({ namespaceSelector: Selector }));
const PolicyPorts = v.array(v.strictObject({ protocol: v.picklist(["TCP", "UDP"]), port: Port }));

const NetworkPolicy = v.strictObject({
  apiVersion: v.literal("networking.k8s.io/v1"),
  kind: v.literal("NetworkPolicy"),
  metadata: Meta,
  spec: v.strictObject({
    podSelector: Selector,
    policyTypes: v.tuple([v.literal("Ingress"), v.literal("Egress")]),
    ingress: v.array(v.strictObject({ from: Peers, ports: PolicyPorts })),
    egress: v.array(v.strictObject({ to: Peers, ports: PolicyPorts })),
  }),
});

const ServiceMonitor = v.strictObject({
  apiVersion: v.literal("monitoring.coreos.com/v1"),
  kind: v.literal("ServiceMonitor"),
  metadata: Meta,
  spec: v.strictObject({
    jobLabel: v.string(),
    selector: Selector,
    endpoints: v.tuple([v.strictObject({
      port: v.string(),
      path: v.string(),
      interval: v.string(),
      authorization: v.strictObject({ credentials: v.strictObject({ name: v.string(), key: v.string() }) }),
    })]),
  }),
});

const Generator = v.strictObject({ name: v.string(), envs: v.tuple([v.string()]) });

const Kustomization = v.strictObject({
  apiVersion: v.literal("kustomize.config.k8s.io/v1beta1"),
  kind: v.literal("Kustomization"),
  namespace: v.string(),
  resources: v.array(v.string()),
  labels: v.tuple([v.strictObject({ pairs: Labels })]),
  configMapGenerator: v.tuple([Generator]),
  secretGenerator: v.tuple([Generator]),
  configurations: v.array(v.string()),
  images: v.tuple([v.strictObject({ name: v.string(), newName: v.string(), newTag: v.string() })]),
});

const Namespace = v.strictObject({
  apiVersion: v.literal("v1"),
  kind: v.literal("Namespace"),
  metadata: Meta,
});

const ServiceAccount = v.strictObject({
  apiVersion: v.literal("v1"),
  kind: v.literal("ServiceAccount"),
  metadata: Meta,
  automountServiceAccountToken: v.literal(false),
});

/** Everything that `deploy/kubernetes` has, each held to what its kind may be. */
// deno-lint-ignore explicit-module-boundary-types -- the schemas say what comes
export async function kubernetesObjects() {
  const read = <S extends v.GenericSchema>(name: string, schema: S) =>
    document(`kubernetes/${name}.yaml`, schema);
  return {
    kustomization: await read("kustomization", Kustomization),
    namespace: await read("namespace", Namespace),
    serviceAccount: await read("service-account", ServiceAccount),
    deployment: await read("deployment", Deployment),
    service: await read("service", Service),
    disruption: await read("pod-disruption-budget", PodDisruptionBudget),
    autoscaler: await read("autoscaler", HorizontalPodAutoscaler),
    network: await read("network-policy", NetworkPolicy),
    monitor: await read("service-monitor", ServiceMonitor),
  };
}
