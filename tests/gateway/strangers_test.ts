import { assertEquals } from "@std/assert";
import { LiveGateway } from "../transport/live_gateway.ts";

Deno.test("what browsers ask beforehand, and for pages of foreign sites, is counted by address", async () => {
  const there = "https://app.example.org";
  await using live = await LiveGateway.start({
    AUTH: "token",
    AUTH_TOKENS: "app:0123456789abcdef:subscribe",
    ALLOWED_ORIGINS: there,
    TRUSTED_PROXIES: "127.0.0.1",
    REQUESTS_PER_SECOND: "1",
    REQUESTS_BURST: "3",
  });
  const asked = async (from: string, init: RequestInit) => {
    const headers = { "x-forwarded-for": from, ...init.headers };
    const answer = await fetch(`http://127.0.0.1:${live.port}/api/tasks/a`, { ...init, headers });
    await answer.body?.cancel();
    return answer.status;
  };
  const preflight = {
    method: "OPTIONS",
    headers: { origin: there, "access-control-request-method": "GET" },
  };
  const foreign = { headers: { origin: "https://evil.example.org" } };
  for (
    const [from, init, status] of [["192.0.2.1", preflight, 204], ["192.0.2.2", foreign, 403]] as const
  ) {
    const statuses: number[] = [];
    for (let i = 0; i < 4; i++) statuses.push(await asked(from, init));
    assertEquals(statuses, [status, status, status, 429]);
  }
  const good = { headers: { origin: there, authorization: "Bearer 0123456789abcdef" } };
  // A token that is known to be good is not held back by what others do at its address.
  assertEquals([await asked("192.0.2.3", good), await asked("192.0.2.1", good)], [404, 404]);
});
