import { type Certificate, readCertificate } from "../settings/certificate.ts";
import type { Settings } from "../settings/settings.ts";
import type { Finding } from "./finding.ts";

const DAY_MS = 86_400_000;
/** Who renews by itself does so a month before; less than this is left where that does not happen. */
const SOON_DAYS = 14;

/** What a gateway of these settings would show over TLS; nothing where it serves without. */
export async function certificateFindings({ tls }: Settings): Promise<readonly Finding[]> {
  if (tls === undefined) return [];
  const read = await readCertificate(tls);
  if ("certificate" in read) return [datesFinding(read.certificate, Date.now())];
  const mend =
    "make these files a certificate with its chain and its key, both PEM, readable to the gateway's user";
  return [{ check: "TLS", verdict: "wrong", says: read.problem, mend }];
}

/** For how long a certificate is good, at `nowMs`. Pure. */
export function datesFinding({ names, fromMs, untilMs }: Certificate, nowMs: number): Finding {
  const check = "TLS";
  const days = Math.floor((untilMs - nowMs) / DAY_MS);
  const until = new Date(untilMs).toISOString().slice(0, 10);
  const mend = "renew the certificate: the gateway takes up the new files by itself";
  if (untilMs <= nowMs) {
    return { check, verdict: "wrong", says: `the certificate of ${names} expired on ${until}`, mend };
  }
  if (fromMs > nowMs) {
    const from = new Date(fromMs).toISOString();
    const why = "wait, or set the clock: it is behind that of who made it";
    return {
      check,
      verdict: "wrong",
      says: `the certificate of ${names} is good from ${from} on only`,
      mend: why,
    };
  }
  const says = `serves https and wss as ${names}, good until ${until}, ${days} days`;
  return { check, verdict: days < SOON_DAYS ? "note" : "ok", says };
}
