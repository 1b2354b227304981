import { type Command, InvalidArgumentError } from "commander";
import { SignJWT } from "jose";
import * as v from "valibot";
import { type Right, RIGHTS } from "../access/access.ts";
import { MAX_PATTERNS, TopicPattern } from "../access/scope.ts";
import { durationMs } from "../settings/rules.ts";
import { CliError } from "./cli_error.ts";
import { EXIT } from "./exit_codes.ts";
import type { World } from "./world.ts";

type TokenOptions = {
  readonly name: string;
  readonly rights: readonly Right[];
  readonly topics?: readonly string[];
  readonly jwt?: boolean;
  readonly expires: number;
  readonly json?: boolean;
};

/** As many as nobody guesses. */
const RANDOM_BYTES = 32;
const SHORTEST_SECRET = 32;

/** `token`. */
export function tokenCommand(program: Command, world: World): void {
  program.command("token")
    .description(
      "Make a random token, and print the entry of AUTH_TOKENS for it; or, with --jwt, a JSON Web Token signed with JWT_SECRET",
    )
    .option("--name <name>", "whose it is: 1–64 of A-Za-z0-9_-", name, "me")
    .option("--rights <rights>", `some of ${RIGHTS.join(",")}`, rights, ["subscribe"])
    .option(
      "--topics <patterns>",
      "what it is for, such as task:tag:user-42,task:id:ci-*; default: every topic",
      topics,
    )
    .option(
      "--jwt",
      "a JSON Web Token (HS256) for AUTH=jwt, with JWT_ISSUER and JWT_AUDIENCE where they are set",
    )
    .option(
      "--expires <duration>",
      "when a JSON Web Token ends, such as 15m, 12h or 30d",
      duration,
      durationMs("12h"),
    )
    .option("--json", "print JSON")
    .action(async (options: TokenOptions) => {
      const text = options.jwt ? await jwtText(options, world) : entryText(options);
      world.out.write(`${text}\n`);
      world.finish(EXIT.done);
    });
}

function entryText({ name, rights, topics, json }: TokenOptions): string {
  if (topics !== undefined && topics.length > 1 && topics.includes("*")) {
    throw new CliError("--topics: AUTH_TOKENS takes a * alone or not at all", EXIT.badArgument);
  }
  // Text that needs no quoting in a URL or a shell.
  const token = crypto.getRandomValues(new Uint8Array(RANDOM_BYTES))
    .toBase64({ alphabet: "base64url", omitPadding: true });
  const patterns = topics === undefined ? "" : `:${topics.join("+")}`;
  const entry = `${name}:${token}:${rights.join("+")}${patterns}`;
  return json
    ? JSON.stringify({ name, token, rights, ...(topics && { topics }), entry })
    : `AUTH_TOKENS=${entry}`;
}

async function jwtText(
  { name, rights, topics = ["*"], expires, json }: TokenOptions,
  { env }: World,
): Promise<string> {
  const secret = env.JWT_SECRET ?? "";
  if (secret.length < SHORTEST_SECRET) {
    throw new CliError(`JWT_SECRET: must be set, to ${SHORTEST_SECRET} characters or more`, EXIT.badArgument);
  }
  const expiresAtMs = Date.now() + expires;
  const jwt = new SignJWT({ rights, topics }).setProtectedHeader({ alg: "HS256" }).setSubject(name)
    .setIssuedAt().setExpirationTime(new Date(expiresAtMs));
  if (env.JWT_ISSUER) jwt.setIssuer(env.JWT_ISSUER);
  if (env.JWT_AUDIENCE) jwt.setAudience(env.JWT_AUDIENCE);
  const token = await jwt.sign(new TextEncoder().encode(secret));
  return json ? JSON.stringify({ name, token, rights, topics, expires_at: expiresAtMs }) : token;
}

function name(text: string): string {
  if (/^[\w-]{1,64}$/.test(text)) return text;
  throw new InvalidArgumentError("It must be 1–64 characters of A-Za-z0-9_-.");
}

function rights(text: string): readonly Right[] {
  const given = text.split(/[,+]/).map((word) => RIGHTS.find((right) => right === word));
  if (given.every((right) => right !== undefined)) return [...new Set(given)];
  throw new InvalidArgumentError(`They must be some of ${RIGHTS.join(", ")}, separated by commas.`);
}

function topics(text: string): readonly string[] {
  const given = text.split(/[,+]/);
  const wrong = given.find((pattern) => !v.is(TopicPattern, pattern));
  if (wrong !== undefined) {
    throw new InvalidArgumentError(
      `${JSON.stringify(wrong)} is no pattern; task:tag:user-42 is one, and task:id:ci-*.`,
    );
  }
  if (given.length > MAX_PATTERNS) throw new InvalidArgumentError(`They must be ${MAX_PATTERNS} at most.`);
  return [...new Set(given)];
}

function duration(text: string): number {
  const ms = durationMs(text);
  if (ms > 0) return ms;
  throw new InvalidArgumentError("It must be a duration such as 15m, 12h or 30d.");
}
