import { assertEquals, assertThrows } from "@std/assert";
import { rolledUp } from "../../deploy/declarations.ts";

const ENTRY = `import * as v from "valibot";
import { type Far as Near, Kept } from "./other.ts";
import type { Other } from "../stage/third.ts";
/** What is {passed} on. */
export { Kept };
/** What is exported; { is no bracket. */
export declare function make(near: Near, text: "} ;"): Own | {
    readonly a: 1;
}
/** A comment between. */
 | { readonly b: Other };
type Own = { readonly kept: Kept };
export declare const unneeded: 1;
`;

const OTHER = `/** Far. */
export interface Far { readonly deep: Deep;
}
export declare class Kept { #private;
    go(): void;
}
type Deep = Far["deep"] | null;
export type Nobody = 1;
export {};
`;

const THIRD = `export type Other = 2;\n`;

Deno.test("the types of an entry bring along what they need, and nothing else", () => {
  const texts = new Map([["entry", ENTRY], ["other", OTHER], ["third", THIRD]]);
  // Names that come in under another would have to be renamed where they are used.
  assertThrows(() => rolledUp("entry", texts), Error, "must keep its name");
  const named = ENTRY.replaceAll("Far as Near", "Far").replaceAll("Near", "Far");
  const rolled = rolledUp("entry", new Map([...texts, ["entry", named]]));
  const lines = rolled.split("\n").filter((line) => /^(export|declare|type|interface)/.test(line));
  assertEquals(lines, [
    "export declare class Kept { #private;",
    'export declare function make(near: Far, text: "} ;"): Own | {',
    "export declare const unneeded: 1;",
    "interface Far { readonly deep: Deep;",
    "type Own = { readonly kept: Kept };",
    "type Other = 2;",
    'type Deep = Far["deep"] | null;',
    "export {};",
  ]);
});

Deno.test("two declarations of one name are told of, for one would hide the other", () => {
  const texts = new Map([
    ["entry", `import type { A } from "./a.ts";\ntype B = 1;\nexport type C = A | B;\n`],
    ["a", "type B = 2;\nexport type A = B;\n"],
  ]);
  assertThrows(() => rolledUp("entry", texts), Error, "B is declared in");
});
