import { assert, assertEquals, assertMatch } from "@std/assert";
import { parseLine, printRecord } from "../../src/archive/archive_line.ts";
import { type Part, readArchive } from "../../src/archive/archive_reader.ts";
import { bodyWithTime } from "../../src/archive/event_time.ts";
import { embedded, exportedText, importedFrom, lives, parts } from "./moving.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** An archive of some checkpoints, and the log that it is of. */
async function sample(): Promise<string> {
  await using source = await embedded();
  await source.append(lives(10, 240));
  return (await exportedText(source)).text;
}

const SAMPLE = await sample();
const LINES = SAMPLE.split("\n");

async function kinds(
  archive: string | Uint8Array,
  pieceBytes?: number,
): Promise<Record<Part["kind"], number>> {
  const counts = { header: 0, records: 0, broken: 0, cut: 0 };
  for await (const part of parts(archive, pieceBytes)) counts[part.kind]++;
  return counts;
}

Deno.test("an archive is the same whatever pieces it comes in", async () => {
  const whole = { header: 1, records: 3, broken: 0, cut: 0 };
  for (const pieceBytes of [7, 1_000, 1_000_000]) assertEquals(await kinds(SAMPLE, pieceBytes), whole);
});

Deno.test("a byte that was changed anywhere is found, and nothing from its checkpoint on is stored", async () => {
  const bytes = encoder.encode(SAMPLE);
  for (let i = 1; i < 30; i++) {
    const damaged = bytes.slice();
    const at = Math.floor(bytes.length * i / 30);
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    const { broken, header, records } = await kinds(damaged, 65_536);
    assert(broken > 0, `a changed byte at ${at}`);
    const before = SAMPLE.slice(0, at).split("\n").filter((line) => line.startsWith('{"checkpoint"')).length;
    assertEquals([header, records], [1, before]);
  }
});

Deno.test("broken lines are named, each with its rule, and what was whole before them is stored", async () => {
  const lines = [...LINES];
  lines[1_500] = "{no JSON";
  lines[1_600] = '{"seq":7,"time":"2026-01-01T00:00:00.000Z","subject":"task.a.created","body":"{}"}';
  lines[1_700] = '{"seq":1700,"time":"yesterday","subject":"task.a.created","body":"{}"}';
  lines[1_800] = '{"seq":1800,"time":"2026-01-01T00:00:00.000Z","subject":"task.a.created"}';
  lines[2_200] = '{"what":"is this"}';
  await using target = await embedded();
  const { stored, broken, through } = await importedFrom(lines.join("\n"), target);
  assertEquals([stored, through], [1_000, 1_000]);
  const told = broken.first.map(({ line, rule }) => `${line}: ${rule}`);
  assertEquals(told.map((text) => Number(text.split(":")[0])), [1_501, 1_601, 1_701, 1_801, 2_201]);
  for (
    const [i, rule] of [/JSON/, /seq: must be more than/, /time/, /body or base64/, /must be a header/]
      .entries()
  ) {
    assertMatch(told[i] ?? "", rule);
  }
});

Deno.test("a file that ends too early is used up to its last checkpoint, and told to be cut off", async () => {
  for (const share of [0.3, 0.5, 0.999]) {
    await using target = await embedded();
    const cut = SAMPLE.slice(0, SAMPLE.length * share);
    const result = await importedFrom(cut, target);
    assertEquals(
      result.stored,
      cut.split("\n").filter((line) => line.startsWith('{"checkpoint"')).length * 1_000,
    );
    assertEquals([result.cut?.line, result.broken.count], [cut.split("\n").length, 0]);
  }
  await using target = await embedded();
  const { cut } = await importedFrom(`${LINES.slice(0, -2).join("\n")}\n`, target);
  assertEquals(cut?.rule, "the file ends before its last line");
});

Deno.test("what is no archive, or of another version, is refused by its first line", async () => {
  await using target = await embedded();
  const version = SAMPLE.replace('"taskwire_archive":1', '"taskwire_archive":2');
  for (
    const [file, rule] of [
      ["", /there is none/],
      ["hello", /there is none/],
      ["hello\nworld\n", /header of a taskwire archive/],
      ["\u0000".repeat(100_000) + "\n", /header/],
      [LINES.slice(1).join("\n"), /header/],
      [version, /version/],
    ] as const
  ) {
    const { stored, broken } = await importedFrom(file, target);
    assertEquals(stored, 0);
    assertMatch(broken.first[0]?.rule ?? "", rule);
  }
  assertEquals((await target.extent()).lastSeq, 0);
});

Deno.test("a line without end, or records without a checkpoint, do not fill the memory", async () => {
  const endless = async function* (): AsyncGenerator<Uint8Array, void, void> {
    yield encoder.encode(`${LINES[0]}\n{"seq":1,"body":"`);
    const piece = new Uint8Array(10_000_000).fill(97);
    for (let i = 0; i < 1_000; i++) {
      pulled++;
      yield piece;
    }
  };
  let pulled = 0;
  const rules: string[] = [];
  for await (const part of readArchive(endless())) if (part.kind === "broken") rules.push(part.rule);
  assertEquals([rules, pulled <= 12], [["must be at most 100000000 bytes"], true]);
});

Deno.test("records come back to the byte, whatever their bodies are", () => {
  const bodies = ["{}", "", "\ufeff{}", "„ä\u2028\n", "\u0007", "a\r\n\tb"].map((text) =>
    encoder.encode(text)
  );
  bodies.push(new Uint8Array([0xc3, 0x28]), new Uint8Array(300).map((_, i) => i));
  for (const body of bodies) {
    const entry = {
      seq: 1,
      time: 1_700_000_000_000,
      subject: "task.a.x",
      body,
      id: "i",
      traceparent: "00-a-b-01",
    };
    const line = parseLine(encoder.encode(printRecord(entry).trimEnd()));
    assertEquals(line, { kind: "record", entry });
  }
});

Deno.test("an event that does not say when it happened says so once it is moved; nothing else is changed", () => {
  const moved = (body: string, subject = "task.a.progress"): string =>
    decoder.decode(bodyWithTime({ seq: 1, time: 1_700_000_000_000, subject, body: encoder.encode(body) }));
  assertEquals(moved('{"completed": 1.0 }'), '{"at":1700000000000,"completed": 1.0 }');
  assertEquals(moved(" {\n} "), '{"at":1700000000000} ');
  assertEquals(moved(""), '{"at":1700000000000}');
  for (const body of ['{"at":5}', '{"at":null}', "[]", '"{}"', "{", "7"]) {
    assertEquals(moved(body), body);
  }
  assertEquals(moved("{}", "data.a.progress"), "{}");
  assertEquals(moved("{}", "task.a.unknown"), "{}");
  const large = `{"current":"${"x".repeat(65_536 - 15)}"}`;
  assertEquals(moved(large), large);
});
