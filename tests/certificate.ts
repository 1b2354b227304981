import { debianProgram, librariesOf } from "./debian_program.ts";
import { run } from "./programs.ts";

/** The kinds of keys that tests make. */
const KEYS = {
  "P-256": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
  "secp256k1": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"],
  "RSA 2048": ["-newkey", "rsa:2048"],
  "RSA 1024": ["-newkey", "rsa:1024"],
  "Ed25519": ["-newkey", "ed25519"],
} as const;

/** A certificate that signed itself, for `localhost` and `127.0.0.1`, and its key, in PEM. */
export type MadeCertificate = { readonly cert: string; readonly key: string };

/** The path of OpenSSL's program. */
export function openssl(): Promise<string> {
  return debianProgram({
    variable: "OPENSSL",
    name: "openssl",
    package: "openssl",
    pathInPackage: "usr/bin/openssl",
    wanted: "openssl, to make certificates",
  });
}

/** Makes a certificate whose subject is `CN=<name>`, good for a day from now on. */
export async function madeCertificate(
  name: string,
  { kind = "P-256", passphrase }: { readonly kind?: keyof typeof KEYS; readonly passphrase?: string } = {},
): Promise<MadeCertificate> {
  const program = await openssl();
  const folder = await Deno.makeTempDir({ prefix: "taskwire-certificate-" });
  try {
    const [cert, key] = [`${folder}/cert.pem`, `${folder}/key.pem`];
    await run(program, [
      ...["req", "-x509", "-batch", "-days", "1", "-subj", `/CN=${name}`, "-out", cert, "-keyout", key],
      ...[
        "-addext",
        "subjectAltName=DNS:localhost,IP:127.0.0.1",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
      ],
      ...(passphrase === undefined ? ["-nodes"] : ["-passout", `pass:${passphrase}`]),
      ...KEYS[kind],
    ], { env: librariesOf(program) });
    return { cert: await Deno.readTextFile(cert), key: await Deno.readTextFile(key) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
