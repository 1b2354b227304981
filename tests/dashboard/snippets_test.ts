import { assert, assertEquals } from "@std/assert";
import { snippets } from "../../src/dashboard/snippets.ts";

Deno.test("the three ways to report a task name this gateway", () => {
  const all = snippets("http://localhost:8000/");
  assertEquals(all.map(({ title }) => title), ["emptyNats", "emptyCurl", "emptySdk"]);
  const [nats, curl, sdk] = all.map(({ code }) => code);
  assert(nats?.startsWith("nats pub taskwire.task.job1.progress '{"));
  assert(curl?.includes("http://localhost:8000/api/tasks/job1/events"));
  assert(sdk?.includes('connectWorker("http://localhost:8000")'));
});
