import { assert, assertEquals } from "@std/assert";
import { fill, languageFor, TEXTS } from "../../src/dashboard/texts.ts";

const holes = (text: string): string[] => (text.match(/\{\w+\}/g) ?? []).sort();

Deno.test("every language has every text, with the same values to fill in", () => {
  const { en, ...others } = TEXTS;
  assert(Object.keys(en).length > 50);
  for (const [language, texts] of Object.entries(others)) {
    assertEquals(Object.keys(texts).sort(), Object.keys(en).sort(), language);
    for (const [key, text] of Object.entries(en)) {
      const other = new Map(Object.entries(texts)).get(key) ?? "";
      assertEquals(holes(other), holes(text), `${language} ${key}`);
      assert(other.trim() !== "", `${language} ${key}`);
    }
  }
});

Deno.test("every text is used somewhere", async () => {
  const folder = new URL("../../src/dashboard/", import.meta.url);
  let sources = "";
  for await (const { name } of Deno.readDir(folder)) {
    if (/\.tsx?$/.test(name) && name !== "texts.ts") {
      sources += await Deno.readTextFile(new URL(name, folder));
    }
  }
  const unused = Object.keys(TEXTS.en).filter((key) => !new RegExp(`\\b${key}\\b`).test(sources));
  assertEquals(unused, []);
});

Deno.test("the language is the first that the reader prefers and we have", () => {
  assertEquals(languageFor(["zh-Hant-TW", "en"]), "zh");
  assertEquals(languageFor(["de-CH", "en-GB", "zh"]), "en");
  assertEquals(languageFor(["zho"]), "en");
  assertEquals(languageFor([]), "en");
});

Deno.test("a value is filled in as it is, and never looked at again", () => {
  assertEquals(fill("{a} of {b}", { a: "{b}", b: 2 }), "{b} of 2");
  assertEquals(fill("{a} $&", { a: "$&" }), "$& $&");
  assertEquals(fill("{unknown}"), "{unknown}");
});
