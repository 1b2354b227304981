/** Tells of a task, and comes to its end without ending it, or the worker: `forgetful_process.ts <url>`. */
import { connectWorker } from "../../src/worker/task_reporter.ts";

const worker = await connectWorker(Deno.args[0] ?? "", { heartbeatMs: 50 });
const task = worker.task("left");
task.progress({ completed: 1 });
await task.flush();
