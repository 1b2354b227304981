import { type Command, InvalidArgumentError } from "commander";
import { EXIT } from "./exit_codes.ts";
import type { World } from "./world.ts";

type TokenOptions = { readonly name: string; readonly rights: readonly string[]; readonly json?: boolean };

const RIGHTS = ["subscribe", "publish", "cancel", "admin"] as const;
/** As many as nobody guesses. */
const RANDOM_BYTES = 32;

const HONEST =
  "Note: this build checks no tokens yet (AUTH=off is all there is). The entry is for AUTH=token.\n";

/** `token`. */
export function tokenCommand(program: Command, world: World): void {
  program.command("token")
    .description("Make a random token, and print the entry of AUTH_TOKENS for it")
    .option("--name <name>", "whose it is: 1–64 of A-Za-z0-9_-", name, "me")
    .option("--rights <rights>", `some of ${RIGHTS.join(",")}`, rights, ["subscribe"])
    .option("--json", "print JSON")
    .action(({ name, rights, json }: TokenOptions) => {
      const token = tokenOf(crypto.getRandomValues(new Uint8Array(RANDOM_BYTES)));
      const entry = `${name}:${token}:${rights.join("+")}`;
      world.out.write(
        json ? `${JSON.stringify({ name, token, rights, entry })}\n` : `AUTH_TOKENS=${entry}\n`,
      );
      world.out.complain(HONEST);
      world.finish(EXIT.done);
    });
}

/** Bytes as text that needs no quoting in a URL or a shell. Pure. */
export function tokenOf(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function name(text: string): string {
  if (/^[\w-]{1,64}$/.test(text)) return text;
  throw new InvalidArgumentError("It must be 1–64 characters of A-Za-z0-9_-.");
}

function rights(text: string): readonly string[] {
  const given = text.split(/[,+]/);
  if (given.every((right) => RIGHTS.some((known) => known === right))) return [...new Set(given)];
  throw new InvalidArgumentError(`They must be some of ${RIGHTS.join(", ")}, separated by commas.`);
}
