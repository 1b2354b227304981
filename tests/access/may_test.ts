import { assertEquals } from "@std/assert";
import { type Access, EVERYBODY, NOBODY, type Right, RIGHTS } from "../../src/access/access.ts";
import { noSuchTask, operatorRefusal, refusalOf, type Wish } from "../../src/access/may.ts";
import { Scope } from "../../src/access/scope.ts";

function having(rights: readonly Right[], ...patterns: string[]): Access {
  return { subject: "somebody", rights: new Set(rights), scope: Scope.of(patterns) };
}

/** A wish of each kind, for a right; what it is about is within `task:tag:mine` and `task:id:mine`. */
function wishes(right: Right): readonly Wish[] {
  const names = { taskId: "mine", tags: ["mine"] };
  return [
    { right },
    { right, topics: ["task:id:mine", "task:tag:mine", "task:list"] },
    { right, taskId: "mine", found: names },
    { right, written: names },
  ];
}

Deno.test("a right is had by whoever was given it, or admin, and by nobody else, whatever it is wanted for", () => {
  for (const wanted of RIGHTS) {
    for (const given of RIGHTS) {
      const access = having([given], "task:id:mine", "task:tag:mine");
      const refusal = given === wanted || given === "admin" ? undefined : {
        code: "FORBIDDEN",
        message: `the token does not carry the right ${wanted}`,
        details: { right: wanted },
      };
      for (const wish of wishes(wanted)) assertEquals<unknown>(refusalOf(access, wish), refusal);
    }
  }
});

Deno.test("everybody may everything where nobody is asked, and who has shown nothing may nothing", () => {
  for (const right of RIGHTS) {
    for (const wish of wishes(right)) {
      assertEquals(refusalOf(EVERYBODY, wish), undefined);
      assertEquals(refusalOf(NOBODY, wish)?.code, "FORBIDDEN");
    }
  }
  assertEquals([operatorRefusal(EVERYBODY), operatorRefusal(NOBODY)?.code], [undefined, "FORBIDDEN"]);
});

Deno.test("a right alone is enough only for what is about no topic and no task", () => {
  const nothing = having([...RIGHTS]);
  assertEquals(refusalOf(nothing, { right: "subscribe" }), undefined);
  const names = { taskId: "a", tags: ["x"] };
  const codes = [
    refusalOf(nothing, { right: "subscribe", topics: ["task:list"] }),
    refusalOf(nothing, { right: "subscribe", taskId: "a", found: names }),
    refusalOf(nothing, { right: "publish", written: names }),
  ].map((refusal) => refusal?.code);
  assertEquals(codes, ["FORBIDDEN", "TASK_NOT_FOUND", "FORBIDDEN"]);
});

Deno.test("topics are refused together, and the refused ones are named", () => {
  const access = having(["subscribe"], "task:tag:mine");
  const topics = ["task:tag:mine", "task:tag:yours", "task:list", "data:prices"];
  assertEquals(refusalOf(access, { right: "subscribe", topics }), {
    code: "FORBIDDEN",
    message: "the token is not for task:tag:yours",
    details: { topics: ["task:tag:yours", "data:prices"] },
  });
  assertEquals(refusalOf(access, { right: "subscribe", topics: [] }), undefined);
});

Deno.test("a task that may not be seen is answered like one that is not there", () => {
  const access = having(["subscribe", "cancel"], "task:tag:mine", "task:id:one");
  const foreign = { taskId: "a", tags: ["yours"] };
  for (const right of ["subscribe", "cancel"] as const) {
    for (const found of [foreign, undefined]) {
      assertEquals(refusalOf(access, { right, taskId: "a", found }), {
        code: "TASK_NOT_FOUND",
        message: "no task a",
        details: { task_id: "a" },
      });
    }
    assertEquals(refusalOf(access, { right, taskId: "one", found: undefined }), noSuchTask("one"));
    assertEquals(
      refusalOf(access, { right, taskId: "a", found: { taskId: "a", tags: ["yours", "mine"] } }),
      undefined,
    );
    assertEquals(refusalOf(access, { right, taskId: "one", found: { taskId: "one", tags: [] } }), undefined);
  }
});

Deno.test("events may be written of a task by whoever has its id and all of its tags", () => {
  const access = having(["publish"], "task:id:job-*", "task:tag:mine");
  const refused = (taskId: string, ...tags: string[]) =>
    refusalOf(access, { right: "publish", written: { taskId, tags } });
  assertEquals(refused("job-1", "mine"), undefined);
  assertEquals(refused("job-1", "mine", "yours"), {
    code: "FORBIDDEN",
    message: "the token is not for task:tag:yours",
    details: { topics: ["task:tag:yours"] },
  });
  assertEquals(refused("other", "mine")?.details, { topics: ["task:id:other"] });
});

Deno.test("operators are those with the right admin for every task", () => {
  assertEquals(operatorRefusal(having(["admin"], "*")), undefined);
  assertEquals(operatorRefusal(having(["admin"], "task:*")), undefined);
  assertEquals(operatorRefusal(having(["admin"], "task:id:*", "task:tag:*")), {
    code: "FORBIDDEN",
    message: "the token is for some tasks only",
    details: { right: "admin" },
  });
  assertEquals(operatorRefusal(having(["subscribe", "publish", "cancel"], "*")), {
    code: "FORBIDDEN",
    message: "the token does not carry the right admin",
    details: { right: "admin" },
  });
});
