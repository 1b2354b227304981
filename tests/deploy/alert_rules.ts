import * as v from "valibot";
import { deployed, document } from "./deployed.ts";

const Rule = v.strictObject({
  alert: v.pipe(v.string(), v.regex(/^Taskwire[A-Z][A-Za-z]+$/)),
  expr: v.string(),
  for: v.optional(v.pipe(v.string(), v.regex(/^\d+[sm]$/))),
  labels: v.strictObject({ severity: v.picklist(["critical", "warning", "info"]) }),
  annotations: v.strictObject({
    summary: v.pipe(v.string(), v.minLength(10)),
    /** Sentences that say what to do. */
    runbook: v.pipe(v.string(), v.minLength(60), v.regex(/\.$/)),
  }),
});

const Groups = v.strictObject({
  groups: v.array(v.strictObject({ name: v.string(), rules: v.array(Rule) })),
});

/** An alert rule. */
export type AlertRule = v.InferOutput<typeof Rule>;

/** The file of the rules, below `deploy/`. */
export const RULES = "monitoring/alerts.yaml";

/** Every alert rule. */
export async function alertRules(): Promise<readonly AlertRule[]> {
  return (await document(RULES, Groups)).groups.flatMap(({ rules }) => rules);
}

/** The rules' file with its windows made short and nothing waited for; the expressions stay as they are. */
export async function hurriedRules(window: string): Promise<string> {
  return (await deployed(RULES)).replaceAll(/\[5m\]/g, `[${window}]`).replaceAll(
    /^( *for:) \d+[sm]$/gm,
    "$1 0s",
  );
}
