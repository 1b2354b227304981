import { assertEquals } from "@std/assert";
import { partsOf, toggled, topsOf, treeRows } from "../../src/dashboard/task_tree.ts";
import { taskNamed } from "../sample_task.ts";

const below = (parent_id: string, ...ids: readonly string[]) => ids.map((id) => taskNamed(id, { parent_id }));

const drawn = (tasks: Parameters<typeof partsOf>[0], open: readonly string[], most?: number) => {
  const parts = partsOf(tasks);
  return treeRows(topsOf(tasks, parts), parts, new Set(open), most)
    .map(({ task, depth, parts }) => `${" ".repeat(depth)}${task.task_id} ${parts}`);
};

Deno.test("parts lie below their parent where that is open, wherever they came", () => {
  const tasks = [...below("all", "b"), taskNamed("other"), taskNamed("all"), ...below("b", "b2", "b1")];
  assertEquals(drawn(tasks, []), ["other 0", "all 1"]);
  assertEquals(drawn(tasks, ["all"]), ["other 0", "all 1", " b 2"]);
  assertEquals(drawn(tasks, ["all", "b"]), ["other 0", "all 1", " b 2", "  b2 0", "  b1 0"]);
  assertEquals(drawn(tasks, ["all", "b"], 4), ["other 0", "all 1", " b 2", "  b2 0"]);
});

Deno.test("parts of who is not there are at the top, and so is who names itself", () => {
  assertEquals(drawn([...below("gone", "a", "b"), ...below("c", "c")], ["c"]), ["a 0", "b 0", "c 0"]);
});

Deno.test("a circle of parents is seen, and has an end", () => {
  const circle = [...below("b", "a"), ...below("a", "b"), ...below("a", "under")];
  assertEquals(drawn(circle, []), ["a 2", "b 1", "under 0"]);
  assertEquals(drawn(circle, ["a", "b"]), ["a 2", " b 1", " under 0"]);
  const deep = Array.from({ length: 40 }, (_, i) => taskNamed(`d${i}`, { parent_id: `d${i + 1}` }));
  const ids = deep.map(({ task_id }) => task_id);
  assertEquals(new Set(drawn(deep, ids).map((row) => row.trim().split(" ")[0])).size, deep.length);
});

Deno.test("what is opened is closed by the same", () => {
  const open = toggled(new Set(["a"]), "b");
  assertEquals([...open], ["a", "b"]);
  assertEquals([...toggled(open, "a")], ["b"]);
});
