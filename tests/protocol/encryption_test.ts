import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  isSealed,
  KeyRing,
  seal,
  sealableBytes,
  sealedLength,
  type SealedMember,
  unseal,
} from "../../src/protocol/encryption.ts";

const bytes = (fill: number) => new Uint8Array(32).fill(fill);
const ring = new KeyRing({ keys: { k1: bytes(1), k2: bytes(2) } });
const place = { taskId: "t", member: "name" } as const;

Deno.test("what is sealed opens where it belongs, whatever it is, and is as long as was said before", async () => {
  await fc.assert(
    fc.asyncProperty(fc.jsonValue(), fc.constantFrom("k1", "k2"), async (said, keyId) => {
      const value: unknown = JSON.parse(JSON.stringify(said));
      const sealed = await seal(value, place, keyId, ring);
      assertMatch(sealed, /^enc:v1:k[12]:[A-Za-z0-9_-]+$/);
      const length = new TextEncoder().encode(JSON.stringify(value)).length;
      assertEquals(sealed.length, sealedLength(length, keyId));
      assertEquals(sealableBytes(sealed.length, keyId), length);
      assertEquals(await unseal(sealed, place, ring), { value });
    }),
    { numRuns: 50 },
  );
});

Deno.test("of another task, of another member, under another key's name or changed in any place it is forged", async () => {
  const sealed = await seal("a secret", place, "k1", ring);
  const forged = async (text: string, at: { taskId: string; member: SealedMember } = place) =>
    assertEquals(await unseal(text, at, ring), { unopened: "forged" }, text);
  await forged(sealed, { taskId: "u", member: "name" });
  await forged(sealed, { taskId: "t", member: "reason" });
  await forged(sealed.replace(":k1:", ":k2:"));
  for (let i = "enc:v1:k1:".length; i < sealed.length - 1; i += 7) {
    await forged(`${sealed.slice(0, i)}${sealed[i] === "A" ? "B" : "A"}${sealed.slice(i + 1)}`);
  }
  for (const rubbish of ["enc:v1:", "enc:v1:k1:", "enc:v1:k1:AAAA", "enc:v1:k1:===", `${sealed}!`]) {
    await forged(rubbish);
  }
  assertEquals(await unseal(sealed.replace(":k1:", ":k3:"), place, ring), { unopened: "no such key" });
  assertEquals([isSealed(sealed), isSealed("enc:v2:"), isSealed(7)], [true, false, false]);
});

Deno.test("the same said twice is sealed differently", async () => {
  assertEquals(await seal("x", place, "k1", ring) === await seal("x", place, "k1", ring), false);
});

Deno.test("a key is 32 bytes, in base64 of either alphabet or as WebCrypto has it, under a short id", async () => {
  const standard = btoa(String.fromCharCode(...bytes(0xfb)));
  const key = await crypto.subtle.importKey("raw", bytes(0xfb), "AES-GCM", false, ["decrypt"]);
  const sealed = await seal("x", place, "k", new KeyRing({ keys: { k: bytes(0xfb) } }));
  for (const k of [standard, standard.replaceAll("+", "-").replaceAll("/", "_").replace("=", ""), key]) {
    assertEquals(await unseal(sealed, place, new KeyRing({ keys: { k } })), { value: "x" });
  }
  for (const wrong of ["", "short", "not base64!", new Uint8Array(16)]) {
    assertThrows(() => new KeyRing({ keys: { k: wrong } }), TypeError, "key k: must be 32 bytes");
  }
  assertThrows(() => new KeyRing({ keys: { "a:b": bytes(1) } }), TypeError, "must be 1–16 of A-Za-z0-9_-");
});

Deno.test("keys are those that their owner has when something is opened", async () => {
  const owner: { keys: Record<string, Uint8Array> } = { keys: {} };
  const opening = new KeyRing(owner);
  const sealed = await seal("x", place, "k1", ring);
  const opened = async () => await unseal(sealed, place, opening);
  assertEquals(await opened(), { unopened: "no such key" });
  owner.keys["k1"] = bytes(1);
  assertEquals(await opened(), { value: "x" });
  owner.keys["k1"] = bytes(2);
  assertEquals(await opened(), { unopened: "forged" });
  owner.keys = { k1: new Uint8Array(7) };
  assertEquals(await opened(), { unopened: "no such key" });
  owner.keys = { k1: bytes(1) };
  assertEquals(await opened(), { value: "x" });
  owner.keys = {};
  assertEquals(await opened(), { unopened: "no such key" });
});

Deno.test("the example in the protocol document opens as it says there", async () => {
  const document = await Deno.readTextFile(new URL("../../src/protocol/PROTOCOL.md", import.meta.url));
  const [, said = "{}"] = /32 bytes 1, it is `(.*)` that was sealed/.exec(document) ?? [];
  const [sealed = ""] = /enc:v1:k1:[A-Za-z0-9_-]+/.exec(document) ?? [];
  const opened = await unseal(sealed, { taskId: "task_123", member: "progress" }, ring);
  assertEquals(opened, { value: JSON.parse(said) });
});
