import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { AccessError } from "../../src/access/authenticator.ts";
import { JwtTokens } from "../../src/access/jwt_tokens.ts";
import { parseAuthTokens } from "../../src/settings/auth_tokens.ts";
import { withGateway } from "../gateway/gateway_process.ts";
import { cli, linesOf } from "./cli_process.ts";

Deno.test("what is published is what is told: of the task, in lists, in its history, as it was before, and again", async () => {
  await withGateway({}, async ({ url }) => {
    const run = (...args: string[]) => cli(args, { url });
    const created = await run(
      "publish",
      "job1",
      "created",
      "--name",
      "Import",
      "--tag",
      "eu",
      "--total",
      "4",
      "--json",
    );
    const { seq } = JSON.parse(created.stdout);
    assertEquals(created.code, 0);
    await run("publish", "job1", "progress", '{"completed": 1}', "--current", "a.csv");
    const once = [
      "publish",
      "job1",
      "completed",
      "--completed",
      "4",
      "--result",
      '{"rows":4}',
      "--event-id",
      "end",
    ];
    assertMatch((await run(...once)).stdout, /^event \d+ is in the log\n$/);
    assertMatch((await run(...once)).stdout, /^event \d+ is in the log, as it was before\n$/);

    const task = JSON.parse((await run("task", "job1", "--json")).stdout);
    assertEquals([task.name, task.status, task.progress.completed, task.result], ["Import", "completed", 4, {
      rows: 4,
    }]);
    const before = JSON.parse((await run("task", "job1", "--at", String(seq), "--json")).stdout);
    assertEquals([before.status, before.progress.completed], ["pending", 0]);
    assertMatch(
      (await run("task", "job1")).stdout,
      /^task +job1\nname +Import\ntags +eu\nstatus +completed\n/,
    );

    const listed = JSON.parse((await run("tasks", "--tag", "eu", "--status", "completed", "--json")).stdout);
    assertEquals([listed.total, listed.tasks[0].task_id], [1, "job1"]);
    const none = await run("tasks", "--tag", "us");
    assertEquals([none.code, none.stdout, none.stderr], [0, "", "No task fits.\n"]);
    assertMatch((await run("tasks")).stdout, /^✓ job1 █{20} 100 % {2}completed {3}4\/4 {2}\{"rows":4\}\n$/);

    const history = linesOf((await run("history", "job1", "--json")).stdout).map((line) => JSON.parse(line));
    assertEquals(history.map(({ kind }) => kind), ["created", "progress", "completed"]);
    const rest = await run("history", "job1", "--after", String(seq), "--limit", "1");
    assertMatch(rest.stdout, /^ +\d+ {2}\S+Z {2}progress +\{"completed":1,"current":"a.csv","at":\d+\}\n$/);

    for (const what of ["job1", "--all"]) {
      const played = await run("replay", what, "--speed", "1000x");
      const words = linesOf(played.stdout).map((line) => line.split("  ").slice(1, 3).join(" "));
      const told = ["job1 pending", "job1 progress", "job1 running", "job1 progress", "job1 completed"];
      assertEquals([played.code, words], [0, told]);
    }
  });
});

Deno.test("a replay takes as long as it took, divided by the speed", async () => {
  await withGateway({}, async (gateway) => {
    await gateway.post("slow", [{ kind: "started" }]);
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    await gateway.post("slow", [{ kind: "completed" }]);
    const timed = async (...args: string[]) => {
      const startMs = performance.now();
      assertEquals((await cli(["replay", "slow", ...args], { url: gateway.url })).code, 0);
      return performance.now() - startMs;
    };
    const fastMs = await timed("--speed", "100x");
    const slowMs = await timed("--speed", "2x");
    assertEquals(slowMs >= 1_500, true, `${slowMs} ms at 2x`);
    assertEquals(fastMs < 10_000, true, `${fastMs} ms at 100x`);
    const cutMs = await timed("--speed", "0.01x", "--longest-pause", "100ms");
    assertEquals(cutMs < 30_000, true, `${cutMs} ms with short pauses`);
  });
});

Deno.test("what is not there is exit code 1 and one sentence", async () => {
  await withGateway({}, async ({ url }) => {
    const expected: readonly (readonly [string[], RegExp])[] = [
      [["task", "none"], /^error: [^\n]*none[^\n]*\n$/],
      [["history", "none"], /^error: [^\n]*none[^\n]*\n$/],
      [["replay", "none"], /^error: no event is in the log of none\n$/],
      [["cancel", "none"], /^error: [^\n]*none[^\n]*\n$/],
    ];
    for (const [args, sentence] of expected) {
      const { code, stdout, stderr } = await cli(args, { url });
      assertEquals([code, stdout], [1, ""], args.join(" "));
      assertMatch(stderr, sentence);
    }
  });
  const away = await cli(["tasks", "--url", "ws://127.0.0.1:9"]);
  assertEquals(away.code, 1);
  assertMatch(away.stderr, /^error: no gateway answers at ws:\/\/127\.0\.0\.1:9\/ws: [^\n]+\n$/);
});

Deno.test("a bad argument is exit code 2 and one sentence that names it and the rule, never a stack trace", async () => {
  const bad: readonly (readonly [string[], RegExp])[] = [
    [["task", "a b"], /'id'.*1–128 characters of A-Za-z0-9_-/],
    [["task"], /missing required argument 'id'/],
    [["task", "job1", "--at", "yesterday"], /--at.*a position of the stream.*or a time/],
    [["tasks", "--limit", "0"], /--limit.*a whole number from 1 to 1000/],
    [["tasks", "--status", "done"], /--status.*one of pending, running/],
    [["tasks", "--url", "localhost"], /--url "localhost".*ws:\/\/.*URL/],
    [["watch", "task:ids"], /'topics'.*task:progress/],
    [["watch", "--replay", "some"], /--replay.*latest, none, all/],
    [["replay"], /\[id\].*--all/],
    [["replay", "job1", "--speed", "fast"], /--speed.*10x/],
    [["publish", "job1", "exploded"], /'kind'.*one of created/],
    [["publish", "job1", "progress", "[1]"], /'json'.*a JSON object/],
    [["publish", "job1", "started", "--total", "3"], /--total: must not be given with started/],
    [["publish", "job1", "progress", '{"completed": -1}'], /progress: body\.completed/],
    [["run", "job1"], /missing required argument 'command'/],
    [["run", "job1", "--grace", "soon", "--", "true"], /--grace.*a duration such as/],
    [["token", "--rights", "all"], /--rights.*subscribe, publish, cancel, admin/],
    [["token", "--topics", "task:tag:a+*"], /--topics: AUTH_TOKENS takes a \* alone or not at all/],
    [["nothing"], /unknown command 'nothing'/],
  ];
  for (const [args, sentence] of bad) {
    const { code, stdout, stderr } = await cli(args);
    assertEquals([code, stdout], [2, ""], `${args.join(" ")}: ${stderr}`);
    assertMatch(stderr, sentence);
    assertEquals(linesOf(stderr).length, 1, stderr);
  }
});

Deno.test("every command tells how it is used, and all of them what it ends with", async () => {
  const { code, stdout } = await cli(["--help"]);
  assertEquals(code, 0);
  assertMatch(stdout, /Exit codes:/);
  const commands = [...stdout.matchAll(/^ {2}([a-z-]+) .*\[options\]/gm)].map(([, command]) => command);
  assertEquals(commands.length, 15);
  for (const command of commands) {
    const help = await cli([command ?? "", "--help"]);
    assertEquals(help.code, 0);
    assertMatch(help.stdout, new RegExp(`^Usage: taskwire ${command} `));
  }
});

Deno.test("a token is random, and the setting takes its entry", async () => {
  const [one, other] = await Promise.all([
    cli(["token", "--name", "ci", "--rights", "publish,cancel", "--topics", "task:id:ci-*,task:tag:ci"]),
    cli(["token"]),
  ]);
  assertMatch(one.stdout, /^AUTH_TOKENS=ci:[\w-]{43}:publish\+cancel:task:id:ci-\*\+task:tag:ci\n$/);
  assertMatch(other.stdout, /^AUTH_TOKENS=me:[\w-]{43}:subscribe\n$/);
  const [ci] = parseAuthTokens(one.stdout.trim().replace("AUTH_TOKENS=", "")) ?? [];
  assertEquals([...ci?.access.rights ?? []], ["publish", "cancel"]);
  assertEquals(ci?.access.scope.patterns, ["task:id:ci-*", "task:tag:ci"]);
});

Deno.test("a JSON Web Token is what a gateway with the same secret takes", async () => {
  const env = {
    JWT_SECRET: "a secret of this test, of 32 characters",
    JWT_ISSUER: "here",
    JWT_AUDIENCE: "tw",
  };
  const made = await cli(
    ["token", "--jwt", "--name", "ann", "--topics", "task:tag:ann", "--expires", "15m"],
    { env },
  );
  assertEquals(made.code, 0, made.stderr);
  const keysFor = () => Promise.resolve([new TextEncoder().encode(env.JWT_SECRET)]);
  const judge = (issuer: string) =>
    new JwtTokens({ keysFor, algorithms: ["HS256"], issuer, audience: "tw", skewMs: 0, now: Date.now });
  const access = await judge("here").authenticate(made.stdout.trim());
  assertEquals([access.subject, [...access.rights], access.scope.patterns], ["ann", ["subscribe"], [
    "task:tag:ann",
  ]]);
  const lastsMs = (access.expiresAtMs ?? 0) - Date.now();
  assertEquals(lastsMs > 14 * 60_000 && lastsMs <= 15 * 60_000, true, `${lastsMs} ms`);
  await assertRejects(() => judge("elsewhere").authenticate(made.stdout.trim()), AccessError);
  const without = await cli(["token", "--jwt"]);
  assertEquals([without.code, without.stdout], [2, ""]);
  assertMatch(without.stderr, /JWT_SECRET: must be set/);
});
