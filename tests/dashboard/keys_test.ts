import { assertEquals } from "@std/assert";
import { keyAction } from "../../src/dashboard/keys.ts";

const press = (key: string, changes = {}) => ({
  key,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  ...changes,
});

Deno.test("the keys move, open, search and go back", () => {
  const meant = ["j", "k", "Enter", "/", "Escape", "x"].map((key) => keyAction(press(key), "page"));
  assertEquals(meant, ["next", "previous", "open", "search", "back", undefined]);
});

Deno.test("who types is left alone but for Escape, and so are the browser's own keys", () => {
  assertEquals(["j", "/", "Enter", "Escape"].map((key) => keyAction(press(key), "field")), [
    undefined,
    undefined,
    undefined,
    "back",
  ]);
  assertEquals(keyAction(press("Enter"), "control"), undefined, "a link opens by itself");
  assertEquals(keyAction(press("k", { ctrlKey: true }), "page"), undefined);
});
