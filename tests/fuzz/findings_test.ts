/** What fuzzing found, each under its name. */
import { assertEquals } from "@std/assert";
import { readSettings } from "../../src/settings/settings.ts";

function said(env: Readonly<Record<string, string>>): readonly string[] {
  const read = readSettings(env);
  return [...read.warnings, ..."problems" in read ? read.problems : []];
}

Deno.test("an AUTH that is none is repeated in quotes only, not in the warnings about what it does not read", () => {
  assertEquals(said({ AUTH: "\t\u001b[2Joff", JWT_AUDIENCE: "x" }), [
    "JWT_AUDIENCE has no effect: AUTH is none that reads it",
    'AUTH="\\u001b[2Joff" must be one of off, token, jwt',
  ]);
});

Deno.test("a setting that is repeated does nothing to a terminal: no control characters of any kind, and none that turn the line around", () => {
  assertEquals(said({ HOST: "\u009b2J\u007f\u202e" }), [
    'HOST="\\u009b2J\\u007f\\u202e" must be a host name or an address',
  ]);
});
