import type { TextKey } from "./texts.ts";

/** A way to report a first task, ready to paste. */
export type Snippet = { readonly title: TextKey; readonly code: string };

/** The three ways; `gateway` is its address, such as `http://127.0.0.1:8000`. */
export function snippets(gateway: string): readonly Snippet[] {
  const at = gateway.replace(/\/+$/, "");
  return [
    {
      title: "emptyNats",
      code: `nats pub taskwire.task.job1.progress '{"total": 10, "completed": 3}'`,
    },
    {
      title: "emptyCurl",
      code: `curl --json '{"kind": "progress", "total": 10, "completed": 3}' \\
  ${at}/api/tasks/job1/events`,
    },
    {
      title: "emptySdk",
      code: `import { connectWorker } from "@taskwire/taskwire/worker";

await using worker = await connectWorker("${at}");
await worker.run("job1", { name: "My first job" }, async (task) => {
  for await (const file of task.track(["a.csv", "b.csv", "c.csv"])) {
    await fetch(\`data:,\${file}\`, { signal: task.signal });
  }
});`,
    },
  ];
}
