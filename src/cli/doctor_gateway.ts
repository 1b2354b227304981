import * as v from "valibot";
import { CliError } from "./cli_error.ts";
import { type Finding, skewFinding } from "./finding.ts";
import { clientOf, type Gateway, opened } from "./gateway.ts";

/** How long the gateway may take, ms. */
const ANSWER_MS = 5_000;
/** The `Date` of HTTP has no milliseconds. */
const GRIT_MS = 1_000;

const NotReady = v.object({ reasons: v.array(v.string()) });

/** Whether the gateway is there, ready and reached over WebSocket. `isMeant`: somebody said where it is. */
export async function gatewayFindings(gateway: Gateway, isMeant: boolean): Promise<readonly Finding[]> {
  const check = "gateway";
  const { http } = gateway;
  const sentMs = Date.now();
  let response: Response;
  try {
    response = await fetch(new URL("readyz", http), { signal: AbortSignal.timeout(ANSWER_MS) });
  } catch (error) {
    const certificate = error instanceof Error && /certificate/i.test(error.message);
    const says = certificate
      ? `the certificate at ${http.origin} is not believed here: ${error.message}`
      : `none answers at ${http.origin}`;
    const mend = certificate
      ? "give --url with a name that the certificate is for, and DENO_CERT=<file> where its authority is your own"
      : "start it (deno task start), or mend --url or TASKWIRE_URL";
    return [isMeant ? { check, verdict: "wrong", says, mend } : { check, verdict: "note", says }];
  }
  const answeredMs = Date.now();
  const body = await response.text();
  const theirMs = Date.parse(response.headers.get("date") ?? "");
  const skew = Number.isNaN(theirMs)
    ? []
    : [skewFinding("the gateway", theirMs, { sentMs, answeredMs, gritMs: GRIT_MS })];
  return [readiness(response.status, body, http), ...skew, await socketFinding(gateway)];
}

/** What `/readyz` answered. Pure. */
export function readiness(status: number, body: string, { origin }: URL): Finding {
  const check = "gateway";
  if (status === 200) return { check, verdict: "ok", says: `is ready at ${origin}` };
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), NotReady), body);
  if (status !== 503 || !parsed.success) {
    const mend = "mend --url or TASKWIRE_URL, or the proxy in front of the gateway";
    return {
      check,
      verdict: "wrong",
      says: `${origin}/readyz answers ${status}: no taskwire gateway?`,
      mend,
    };
  }
  const says = `at ${origin} is not ready: ${parsed.output.reasons.join("; ")}`;
  return {
    check,
    verdict: "wrong",
    says,
    mend: "wait if it has just started; else see its log, and NATS above",
  };
}

async function socketFinding(gateway: Gateway): Promise<Finding> {
  const check = "WebSocket";
  const client = clientOf(gateway);
  try {
    await opened(client, gateway);
    return { check, verdict: "ok", says: `opens at ${gateway.socket.origin}${gateway.socket.pathname}` };
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    const mend =
      "let the proxy in front pass Upgrade and Connection on, and give --token where one is asked for";
    return { check, verdict: "wrong", says: error.message, mend };
  } finally {
    client.close();
  }
}
