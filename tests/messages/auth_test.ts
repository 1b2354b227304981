import { assertEquals } from "@std/assert";
import { type Access, NOBODY } from "../../src/access/access.ts";
import { Gate } from "../../src/access/gate.ts";
import { Scope } from "../../src/access/scope.ts";
import { StaticTokens } from "../../src/access/static_tokens.ts";
import { auth } from "../../src/messages/auth.ts";

const ANN: Access = { subject: "ann", rights: new Set(["subscribe"]), scope: Scope.of(["task:*"]) };
const CONTEXT = { path: "/ws", nowMs: 0, epoch: "e1", head: 0, served: 0 };

Deno.test("a ticket opens a connection, and is neither taken nor used up on one that is open", async () => {
  const gate = new Gate(new StaticTokens([{ token: "a-token-of-ann-12", access: ANN }]), { now: () => 0 });
  const token = gate.issue(ANN)?.ticket ?? "";
  const shownTo = (access: Access) => auth(gate).handle({ token }, { ...CONTEXT, access });
  const message = "a ticket opens a connection, and nothing else";
  assertEquals(await shownTo(ANN), { kind: "error", error: { code: "UNAUTHORIZED", message, details: {} } });
  assertEquals(await shownTo(NOBODY), { kind: "access", access: ANN });
  const again = await shownTo(NOBODY);
  assertEquals(again.kind === "refusedAccess" && again.close, "unauthorized");
});
