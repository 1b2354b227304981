import fc from "fast-check";
import { SETTINGS } from "../../src/settings/environment.ts";
import { readSettings } from "../../src/settings/settings.ts";

/** What is in every secret that is set, and must be in nothing that is said. */
const SECRET = "S3cr3tS3cr3tS3cr3t";

/** Values as they may be, of each kind there is. */
const GOOD = [
  "1",
  "8000",
  "7d",
  "500ms",
  "disk",
  "info",
  "0.0.0.0",
  "::1",
  "./data",
  "token",
  "jwt",
  "off",
  "HS256",
  "RS256,ES256",
  "*",
  "https://app.example.org",
  "10.0.0.0/8, ::1",
  "taskwire",
  `nats://127.0.0.1:4222`,
  `nats://user:${SECRET}@127.0.0.1:4222`,
  `wss://user:${SECRET}@nats.example.org/x`,
  `https://keys.example.org/jwks`,
  `https://user:${SECRET}@keys.example.org/jwks`,
  `app:${SECRET}:subscribe+cancel`,
  `app:${SECRET}:subscribe:task:tag:eu*`,
  `app:${SECRET}:everything,b:${SECRET}:admin`,
  SECRET,
  `${SECRET}${SECRET}`,
  `${SECRET}\n${SECRET}`,
];

const value = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...GOOD) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 60 }) },
  {
    weight: 3,
    arbitrary: fc.tuple(
      fc.constantFrom(...GOOD),
      fc.nat(),
      fc.constantFrom("", "@", ":", "/", "\\", " ", "\u0000", ",", "%", "#", "?", "//", "\t"),
    ).map((
      [text, at, more],
    ) => {
      const i = at % (text.length + 1);
      return text.slice(0, i) + more + text.slice(i);
    }),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom("", " ", "x".repeat(70_000), "9".repeat(400), "-1", "1e9", "0x1", "1.5"),
  },
);

const NAMES = SETTINGS.map(({ name }) => name);
const name = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(...NAMES) },
  { weight: 1, arbitrary: fc.constantFrom(...NAMES).map((name) => name.replace("_", "")) },
  {
    weight: 1,
    arbitrary: fc.constantFrom("__proto__", "constructor", "PATH", "TASKWIRE_PORT", "AUTH_TOKEN", ""),
  },
);

const SECRETS: ReadonlySet<string> = new Set(
  SETTINGS.flatMap(({ name, secret }) => secret === true ? [name] : []),
);
/** In these it is one where a password would stand: before an `@`. */
const URLS: ReadonlySet<string> = new Set(["NATS_URL", "JWKS_URL"]);

/** Environments; what is secret in them is {@link SECRET}, and nothing else has it. */
export const environments: fc.Arbitrary<Readonly<Record<string, string>>> = fc.array(fc.tuple(name, value), {
  maxLength: 8,
}).map((pairs) =>
  Object.fromEntries(pairs.map(([name, value]) => [name, withSecrets(name, value)] as const))
);

function withSecrets(name: string, value: string): string {
  if (SECRETS.has(name)) return value;
  const last = URLS.has(name) ? value.lastIndexOf("@") : -1;
  const [before, after] = [value.slice(0, last + 1), value.slice(last + 1)];
  return before + after.replaceAll(SECRET, "plain");
}

/** Reads the settings. Throws where that throws, or where what is said of them shows a secret. */
export function checkSettings(env: Readonly<Record<string, string>>): void {
  const read = readSettings(env);
  const said = [...read.warnings, ..."problems" in read ? read.problems : []].join("\n");
  if (said.includes(SECRET)) throw new Error(`A secret is shown: ${said}`);
  if (/\p{Cc}/u.test(said.replaceAll("\n", ""))) throw new Error(`Control characters are shown: ${said}`);
}
