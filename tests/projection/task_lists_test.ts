import { assertEquals } from "@std/assert";
import { Scope } from "../../src/access/scope.ts";
import { TaskLists } from "../../src/projection/task_lists.ts";
import { World } from "../connection/world.ts";

Deno.test("who asks for many long lists takes no more than a share of the places in which they wait", async () => {
  const world = await World.booted();
  for (let i = 0; i < 5; i++) world.put(`t${i}`, "created", { tags: ["ann", "bob"] });
  await world.follow();
  const lists = new TaskLists(() => world.projection.tasks, 1);
  const asked = (scope: Scope | undefined, times: number) =>
    Array.from({ length: times }, () => lists.of({ limit: 100, page: 1, type: "none", scope }));
  const [ann, bob] = [Scope.of(["task:tag:ann"]), Scope.of(["task:tag:bob"])];
  const ofAnn = asked(ann, 20);
  assertEquals(ofAnn.filter((list) => list === undefined).length, 12);
  assertEquals(asked(bob, 1).includes(undefined), false);
  assertEquals(asked(undefined, 60).filter((list) => list === undefined).length, 5, "64 in all");
  await Promise.all(ofAnn);
  assertEquals(asked(ann, 1).includes(undefined), false);
  await Promise.all(asked(ann, 1));
});
