import { assert, assertEquals } from "@std/assert";
import { datesFinding } from "../../src/cli/doctor_certificate.ts";
import { judgedCertificate, readCertificate } from "../../src/settings/certificate.ts";
import { madeCertificate } from "../certificate.ts";

const PATHS = { cert: "/etc/cert.pem", key: "/etc/key.pem" };

function problem(cert: string, key: string): string {
  const judged = judgedCertificate({ cert, key }, PATHS);
  return "problem" in judged ? judged.problem : "none";
}

Deno.test("a certificate and its key are taken, whatever the kind of key; what no handshake would take is not", async () => {
  for (const kind of ["P-256", "RSA 2048", "Ed25519"] as const) {
    const { cert, key } = await madeCertificate("one", { kind });
    const judged = judgedCertificate({ cert: `subject=CN=one\n${cert}`, key }, PATHS);
    assert("certificate" in judged, JSON.stringify(judged));
    assertEquals(judged.certificate.names, "DNS:localhost, IP Address:127.0.0.1");
    assert(judged.certificate.untilMs - judged.certificate.fromMs === 86_400_000);
  }
  for (
    const [kind, rule] of [
      ["RSA 1024", "must be of 2048 bits at least"],
      ["secp256k1", "must be on P-256, P-384 or P-521"],
    ] as const
  ) {
    const { cert, key } = await madeCertificate("weak", { kind });
    assertEquals(problem(cert, key), `TLS_KEY="/etc/key.pem" ${rule}`);
  }
});

Deno.test("what is wrong with either file is told by the setting, and nothing of the key", async () => {
  const [one, other] = await Promise.all([madeCertificate("one"), madeCertificate("other")]);
  const locked = await madeCertificate("locked", { passphrase: "secret" });
  assertEquals(problem("", one.key), 'TLS_CERT="/etc/cert.pem" must hold a certificate in PEM');
  assertEquals(problem(one.key, one.key), 'TLS_CERT="/etc/cert.pem" must hold a certificate in PEM');
  const torn = `${one.cert}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`;
  assert(problem(torn, one.key).startsWith('TLS_CERT="/etc/cert.pem" holds what is no certificate'));
  for (const key of ["", "junk", one.cert, locked.key]) {
    assertEquals(
      problem(one.cert, key),
      'TLS_KEY="/etc/key.pem" must hold a private key in PEM, without a passphrase',
    );
  }
  assertEquals(
    problem(one.cert, other.key),
    'TLS_KEY="/etc/key.pem" must hold the key of the certificate in TLS_CERT',
  );
  const missing = await readCertificate({ cert: "/nowhere/cert.pem", key: "/nowhere/key.pem" });
  assert("problem" in missing);
  assert(missing.problem.startsWith('TLS_CERT="/nowhere/cert.pem" cannot be read: '), missing.problem);
});

Deno.test("doctor tells for how long a certificate is good, and how to mend one that is not", () => {
  const dates = {
    cert: "",
    key: "",
    names: "DNS:a",
    fromMs: Date.UTC(2024, 0, 1),
    untilMs: Date.UTC(2024, 3, 1),
  };
  const verdict = (month: number, day: number) => {
    const { verdict, says } = datesFinding(dates, Date.UTC(2024, month, day));
    return `${verdict} ${says}`;
  };
  assertEquals(verdict(1, 1), "ok serves https and wss as DNS:a, good until 2024-04-01, 60 days");
  assertEquals(verdict(2, 30), "note serves https and wss as DNS:a, good until 2024-04-01, 2 days");
  assertEquals(verdict(4, 1), "wrong the certificate of DNS:a expired on 2024-04-01");
  assertEquals(
    verdict(-1, 1),
    "wrong the certificate of DNS:a is good from 2024-01-01T00:00:00.000Z on only",
  );
});
