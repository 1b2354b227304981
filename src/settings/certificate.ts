import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";

/** The files that TLS_CERT and TLS_KEY name. */
export type CertificatePaths = { readonly cert: string; readonly key: string };

/** What a server shows for itself over TLS. */
export type Certificate = {
  /** The certificate, and after it those of who signed it, in PEM. */
  readonly cert: string;
  /** Its key in PEM: a secret. */
  readonly key: string;
  /** When it begins and ceases to be good, ms since the epoch. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** Whom it is for, as it says it: `DNS:example.org, IP Address:192.0.2.1`. */
  readonly names: string;
};

/** A certificate, or one sentence on the setting that breaks its rule. */
export type ReadCertificate = { readonly certificate: Certificate } | { readonly problem: string };

const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
/** What a handshake takes; with any other curve none succeeds. */
const CURVES: readonly (string | undefined)[] = ["prime256v1", "secp384r1", "secp521r1"];
const LEAST_RSA_BITS = 2_048;

/** Reads both files and judges them. Never rejects. */
export async function readCertificate(paths: CertificatePaths): Promise<ReadCertificate> {
  const texts: Record<"cert" | "key", string> = { cert: "", key: "" };
  for (const [name, path] of [["cert", paths.cert], ["key", paths.key]] as const) {
    try {
      texts[name] = await Deno.readTextFile(path);
    } catch (error) {
      return { problem: `${shown(name, paths)} cannot be read: ${saidBy(error)}` };
    }
  }
  return judgedCertificate(texts, paths);
}

/** Whether these are a certificate and its key that a server can use. Deno would only notice with the first handshake. Pure. */
export function judgedCertificate(
  { cert, key }: { readonly cert: string; readonly key: string },
  paths: CertificatePaths,
): ReadCertificate {
  const broken = (name: "cert" | "key", rule: string) => ({ problem: `${shown(name, paths)} ${rule}` });
  const chain = cert.match(CERTIFICATES) ?? [];
  let leaf: X509Certificate | undefined;
  try {
    // The whole chain is looked at, as who connects will.
    for (const [i, pem] of chain.entries()) {
      const parsed = new X509Certificate(pem);
      if (i === 0) leaf = parsed;
    }
  } catch (error) {
    return broken("cert", `holds what is no certificate: ${saidBy(error)}`);
  }
  if (leaf === undefined) return broken("cert", "must hold a certificate in PEM");
  let secret: KeyObject;
  try {
    secret = createPrivateKey(key);
  } catch {
    // What it says might quote the file.
    return broken("key", "must hold a private key in PEM, without a passphrase");
  }
  const weak = unusable(secret);
  if (weak !== undefined) return broken("key", weak);
  if (!leaf.checkPrivateKey(secret)) return broken("key", "must hold the key of the certificate in TLS_CERT");
  return {
    certificate: {
      cert: chain.join("\n"),
      key,
      fromMs: Date.parse(leaf.validFrom),
      untilMs: Date.parse(leaf.validTo),
      names: leaf.subjectAltName ?? leaf.subject,
    },
  };
}

function unusable({ asymmetricKeyType, asymmetricKeyDetails = {} }: KeyObject): string | undefined {
  const { modulusLength = 0, namedCurve } = asymmetricKeyDetails;
  switch (asymmetricKeyType) {
    case "rsa":
      return modulusLength >= LEAST_RSA_BITS ? undefined : `must be of ${LEAST_RSA_BITS} bits at least`;
    case "ec":
      return CURVES.includes(namedCurve) ? undefined : "must be on P-256, P-384 or P-521";
    case "ed25519":
      return undefined;
    default:
      return "must be a key of RSA, ECDSA or Ed25519";
  }
}

function shown(name: "cert" | "key", paths: CertificatePaths): string {
  return `${name === "cert" ? "TLS_CERT" : "TLS_KEY"}=${JSON.stringify(paths[name])}`;
}

function saidBy(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
