import type { LiveGateway } from "../transport/live_gateway.ts";
import { at, isObject } from "./arbitrary_json.ts";
import { DocumentJudge, type Json } from "./judges.ts";

/** A document as a gateway serves it, and who judges by it. */
export type Served = { readonly document: Json; readonly judge: DocumentJudge };

/** `/asyncapi.json` of a gateway. */
export async function asyncApiOf(live: LiveGateway): Promise<Served> {
  const document = await documentOf(live, "/asyncapi.json");
  return { document, judge: new DocumentJudge(document, "draft-07") };
}

/** `/openapi.json` of a gateway. */
export async function openApiOf(live: LiveGateway): Promise<Served> {
  const document = await documentOf(live, "/openapi.json");
  return { document, judge: new DocumentJudge(document, "draft-2020-12") };
}

async function documentOf(live: LiveGateway, path: string): Promise<Json> {
  const answer = await fetch(`http://127.0.0.1:${live.port}${path}`);
  const document: unknown = await answer.json();
  if (!isObject(document)) throw new TypeError(`${path} is no document`);
  return document;
}

/** The members of an object within a document, by the names that lead there. */
export function membersAt(document: Json, ...names: readonly string[]): Readonly<Record<string, Json>> {
  let inner: unknown = document;
  for (const name of names) inner = isObject(inner) ? inner[name] : undefined;
  if (!isObject(inner)) throw new TypeError(`The document has no ${names.join(".")}`);
  return Object.fromEntries(
    Object.entries(inner).map(([name, value]) => {
      if (!isObject(value)) throw new TypeError(`${names.join(".")}.${name} is no object`);
      return [name, value];
    }),
  );
}

/** A name as part of a JSON pointer. */
export function pointed(name: string): string {
  return name.replaceAll("~", "~0").replaceAll("/", "~1");
}

/** A value as an object; throws where it is none. */
export function objectAt(value: unknown): Json {
  if (!isObject(value)) throw new TypeError(`${JSON.stringify(value)} is no object`);
  return value;
}

/** What a document refers to and does not have. */
export function danglingIn(document: Json): readonly string[] {
  const refs = new Set<string>();
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(walk);
    else if (isObject(value)) {
      for (const [name, inner] of Object.entries(value)) {
        if (name === "$ref") refs.add(String(inner));
        else walk(inner);
      }
    }
  };
  walk(document);
  return [...refs].filter((ref) => !ref.startsWith("#/") || at(document, ref) === undefined);
}
