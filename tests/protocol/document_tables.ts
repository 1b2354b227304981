import { assertExists } from "@std/assert";

/** The protocol document. */
export const DOCUMENT: string = await Deno.readTextFile(
  new URL("../../src/protocol/PROTOCOL.md", import.meta.url),
);

/** The rows of the table below `heading` whose first column is called `column`, as trimmed cells. */
export function table(column: string, heading = ""): string[][] {
  const section = DOCUMENT.slice(DOCUMENT.indexOf(`\n## ${heading}`));
  const [, rows] = section.match(new RegExp(`^\\| ${column} \\|.*\\n\\|[-|]+\\|\\n((?:\\|.*\\n)+)`, "m")) ??
    [];
  assertExists(rows, `no table of ${column} below ${heading}`);
  return rows.trim().split("\n").map((row) => row.slice(1, -1).split("|").map((cell) => cell.trim()));
}

/** A cell without the marks of code. */
export function unquoted(cell = ""): string {
  return cell.replaceAll("`", "");
}
