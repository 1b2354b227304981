import { assert, assertEquals, assertMatch } from "@std/assert";
import { connect } from "../../src/client/client.ts";
import { withGateway } from "../gateway/gateway_process.ts";
import { eventually } from "../eventually.ts";
import { cli, CliProcess, linesOf } from "./cli_process.ts";

type Task = {
  readonly status: string;
  readonly attempt: number;
  readonly name: string;
  readonly tags: readonly string[];
  readonly reason: string | null;
  readonly error: { readonly message: string; readonly code?: string } | null;
  readonly progress: {
    readonly total: number | null;
    readonly completed: number;
    readonly percentage: number | null;
  };
};

Deno.test("a program run as a task moves before the eyes of who watches, and ends completed", async () => {
  await withGateway({}, async ({ url }) => {
    const client = connect(url);
    const shares: (number | null)[] = [];
    const statuses: string[] = [];
    client.subscribe("task:id:job1", (frame) => {
      if (frame.type === "task_progress") shares.push(frame.data.progress.percentage);
      if (frame.type === "task_status") statuses.push(frame.data.status);
    });
    const command = ["sh", "-c", "for i in 1 2 3; do echo $i/3; sleep 1; done"];
    const { code, stdout } = await cli(["run", "job1", "--tag", "nightly", "--", ...command], { url });
    assertEquals({ code, stdout }, { code: 0, stdout: "1/3\n2/3\n3/3\n" });
    await eventually("the end is seen", () => statuses.includes("completed"));
    assertEquals([...new Set(shares)], [33.33, 66.67, 100]);
    assertEquals([...new Set(statuses)], ["pending", "running", "completed"]);
    client.close();
  });
});

Deno.test("what a program ends with is how its task ends and what the command ends with; run again it is a new attempt", async () => {
  await withGateway({}, async (gateway) => {
    const task = async (id: string) => await gateway.get(`/api/tasks/${id}`) as Task;
    const { url } = gateway;

    assertEquals((await cli(["run", "job2", "--", "sh", "-c", "echo 45% loading; exit 3"], { url })).code, 3);
    const failed = await task("job2");
    assertEquals([failed.status, failed.error], ["failed", { message: "sh exited with code 3", code: "3" }]);
    assertEquals(failed.progress.percentage, 45);

    assertEquals((await cli(["run", "job2", "--", "true"], { url })).code, 0);
    const again = await task("job2");
    assertEquals([again.status, again.attempt], ["completed", 2]);

    assertEquals((await cli(["run", "job3", "--", "sh", "-c", "kill -9 $$"], { url })).code, 137);
    assertEquals((await task("job3")).error, { message: "sh was ended by SIGKILL", code: "SIGKILL" });

    const none = await cli(["run", "job4", "--", "no-such-program"], { url });
    assertEquals([none.code, none.stderr], [127, "error: there is no program no-such-program\n"]);
    assertEquals((await task("job4")).error?.code, "ENOENT");
  });
});

Deno.test("a cancel is SIGTERM to the program and all that it started, then SIGKILL; the task is cancelled", async () => {
  await withGateway({}, async (gateway) => {
    const { url } = gateway;
    // The first lets itself be told, the second does not; both wait for a program of their own.
    await using polite = new CliProcess(["run", "polite", "--", "sh", "-c", "echo 1/9; sleep 60; echo no"], {
      url,
    });
    const stubborn = "trap '' TERM; echo 1/9; while :; do sleep 1; done";
    await using deaf = new CliProcess(["run", "deaf", "--grace", "300ms", "--", "sh", "-c", stubborn], {
      url,
    });
    await Promise.all([polite.said("1/9"), deaf.said("1/9")]);
    for (const id of ["polite", "deaf"]) {
      const asked = await cli(["cancel", id, "--reason", "too slow"], { url });
      assertMatch(asked.stdout, new RegExp(`^asked ${id} to stop \\(event \\d+\\)\n$`));
    }
    assertEquals([(await polite.ended()).code, (await deaf.ended()).code], [143, 137]);
    assertEquals(polite.stdout, "1/9\n");
    for (const id of ["polite", "deaf"]) {
      const { status, reason, progress } = await gateway.get(`/api/tasks/${id}`) as Task;
      assertEquals([status, reason, progress.completed], ["cancelled", "too slow", 1]);
    }
    const late = await cli(["cancel", "polite"], { url });
    assertEquals([late.code, late.stderr], [1, "error: polite has ended: it is cancelled\n"]);
  });
});

Deno.test("a signal meant for the command reaches the program, which decides; who then stops is cancelled", async () => {
  await withGateway({}, async (gateway) => {
    const { url } = gateway;
    await using stopped = new CliProcess(["run", "stopped", "--", "sh", "-c", "echo begun; sleep 60"], {
      url,
    });
    const tidy = "trap 'echo tidied; exit 0' TERM; echo begun; while :; do sleep 0.1; done";
    await using tidied = new CliProcess(["run", "tidied", "--", "sh", "-c", tidy], { url });
    await Promise.all([stopped.said("begun"), tidied.said("begun")]);
    stopped.signal("SIGTERM");
    tidied.signal("SIGTERM");
    assertEquals([(await stopped.ended()).code, (await tidied.ended()).code], [143, 0]);
    assertEquals(tidied.stdout, "begun\ntidied\n");
    const cancelled = await gateway.get("/api/tasks/stopped") as Task;
    assertEquals([cancelled.status, cancelled.reason], ["cancelled", "stopped by SIGTERM"]);
    assertEquals((await gateway.get("/api/tasks/tidied") as Task).status, "completed");
  });
});

Deno.test("without a gateway the program runs all the same, and its code is kept", async () => {
  const { code, stdout, stderr } = await cli(["run", "alone", "--", "sh", "-c", "echo done; exit 4"], {
    url: "http://127.0.0.1:9",
  });
  assertEquals([code, stdout], [4, "done\n"]);
  assert(
    linesOf(stderr).some((line) => line.startsWith("taskwire: cannot reach http://127.0.0.1:9")),
    stderr,
  );
});
