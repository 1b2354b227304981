/** What a worker says that nobody but the holders of a key may read. Each stands in one place of an event, and of a frame. */
export type SealedMember = "name" | "progress" | "reason" | "error" | "result";

/** A key of AES-256: its 32 bytes, or those in base64 or base64url; or as WebCrypto has it, for AES-GCM. */
export type KeyMaterial = string | Uint8Array | CryptoKey;

/** Keys by their ids, each 1–16 of `A-Za-z0-9_-`. */
export type Keys = Readonly<Record<string, KeyMaterial>>;

/** Why something sealed could not be opened. `forged`: it is of another task or member, or was changed. */
export type Unopened = "no such key" | "forged";

const PREFIX = "enc:v1:";
const KEY_ID = /^[A-Za-z0-9_-]{1,16}$/;
const SEALED = /^enc:v1:([A-Za-z0-9_-]{1,16}):([A-Za-z0-9_-]+)$/;
const KEY_BYTES = 32;
/** As NIST SP 800-38D would have it: by chance, so that one key is good for 2³² of them. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Whether `text` may name a key. */
export function isKeyId(text: string): boolean {
  return KEY_ID.test(text);
}

/** Whether a value is something sealed. */
export function isSealed(value: unknown): value is string {
  return typeof value === "string" && value.startsWith(PREFIX);
}

/** How long what is sealed under a key of this id becomes, from so many bytes of JSON: in characters, all of ASCII. */
export function sealedLength(bytes: number, keyId: string): number {
  return PREFIX.length + keyId.length + 1 + Math.ceil((NONCE_BYTES + bytes + TAG_BYTES) * 4 / 3);
}

/** The most bytes of JSON that can be sealed into so many characters. */
export function sealableBytes(characters: number, keyId: string): number {
  return Math.floor((characters - PREFIX.length - keyId.length - 1) * 3 / 4) - NONCE_BYTES - TAG_BYTES;
}

/** Whose keys they are: they may be others at any time. */
export type KeyOwner = { readonly keys: Keys };

/**
 * Keys as WebCrypto uses them. They are looked at whenever one is asked for, so that one that is added, taken away or replaced
 * is so at once. The constructor throws a `TypeError` where one is none.
 */
export class KeyRing {
  readonly #owner: KeyOwner;
  /** What was made of a key, for as long as it is that one. */
  readonly #imported = new Map<string, { readonly from: KeyMaterial; readonly key: Promise<CryptoKey> }>();

  constructor(owner: KeyOwner) {
    this.#owner = owner;
    for (const [id, key] of Object.entries(owner.keys)) materialOf(id, key);
  }

  /** The key of this id; undefined where there is none. Throws a `TypeError` where it is no key. */
  get(id: string): Promise<CryptoKey> | undefined {
    const { keys } = this.#owner;
    const from = Object.hasOwn(keys, id) ? keys[id] : undefined;
    const known = this.#imported.get(id);
    if (known !== undefined && known.from === from) return known.key;
    this.#imported.delete(id);
    if (from === undefined) return undefined;
    const material = materialOf(id, from);
    const key = material instanceof Uint8Array
      ? crypto.subtle.importKey("raw", material, "AES-GCM", false, ["encrypt", "decrypt"])
      : Promise.resolve(material);
    this.#imported.set(id, { from, key });
    return key;
  }
}

/** A key's bytes, copied, or the key that it is already. Throws a `TypeError` where it is none. */
function materialOf(id: string, key: KeyMaterial): Uint8Array<ArrayBuffer> | CryptoKey {
  if (!isKeyId(id)) throw new TypeError(`key id ${JSON.stringify(id)}: must be 1–16 of A-Za-z0-9_-`);
  const material = typeof key === "string" ? bytesIn(key) : key;
  if (material === undefined || (material instanceof Uint8Array && material.length !== KEY_BYTES)) {
    throw new TypeError(`key ${id}: must be ${KEY_BYTES} bytes, as they are or in base64`);
  }
  return material instanceof Uint8Array ? new Uint8Array(material) : material;
}

/** Where something sealed belongs: it opens nowhere else. */
export type Place = { readonly taskId: string; readonly member: SealedMember };

/** Seals a JSON value: `enc:v1:<key id>:<base64url of nonce and ciphertext>`. Rejects where there is no such key. */
export async function seal(value: unknown, place: Place, keyId: string, ring: KeyRing): Promise<string> {
  const key = await ring.get(keyId);
  if (key === undefined) throw new TypeError(`there is no key ${keyId}`);
  const iv = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const how = { name: "AES-GCM", iv, additionalData: placeBytes(place, keyId) };
  const sealed = await crypto.subtle.encrypt(how, key, new TextEncoder().encode(JSON.stringify(value)));
  const bytes = new Uint8Array(NONCE_BYTES + sealed.byteLength);
  bytes.set(iv);
  bytes.set(new Uint8Array(sealed), NONCE_BYTES);
  return `${PREFIX}${keyId}:${base64url(bytes)}`;
}

/** The value that {@link seal} was given, or why it cannot be had. */
export async function unseal(
  text: string,
  place: Place,
  ring: KeyRing,
): Promise<{ readonly value: unknown } | { readonly unopened: Unopened }> {
  const [, keyId = "", body = ""] = SEALED.exec(text) ?? [];
  const bytes = bytesIn(body);
  if (bytes === undefined || bytes.length < NONCE_BYTES + TAG_BYTES) return { unopened: "forged" };
  const key = await keyIn(ring, keyId);
  if (key === undefined) return { unopened: "no such key" };
  try {
    const how = {
      name: "AES-GCM",
      iv: bytes.slice(0, NONCE_BYTES),
      additionalData: placeBytes(place, keyId),
    };
    const opened = await crypto.subtle.decrypt(how, key, bytes.slice(NONCE_BYTES));
    return { value: JSON.parse(new TextDecoder().decode(opened)) };
  } catch {
    return { unopened: "forged" };
  }
}

/** The key of this id; undefined where there is none that is one. */
async function keyIn(ring: KeyRing, keyId: string): Promise<CryptoKey | undefined> {
  try {
    return await ring.get(keyId);
  } catch {
    return undefined;
  }
}

/** What is authenticated along with it. No part can hold the separator. */
function placeBytes({ taskId, member }: Place, keyId: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`taskwire enc:v1\n${taskId}\n${member}\n${keyId}`);
}

/** Strings are made of so many bytes at once: more arguments than that overflow a stack. */
const AT_ONCE = 8_192;

function base64url(bytes: Uint8Array): string {
  let binary = "";
  for (let i = 0; i < bytes.length; i += AT_ONCE) {
    binary += String.fromCharCode(...bytes.subarray(i, i + AT_ONCE));
  }
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The bytes of base64 or base64url; undefined where a text is neither. */
function bytesIn(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    const binary = atob(text.trim().replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(binary, (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}
