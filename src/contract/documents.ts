import type { Documents } from "../http/document_routes.ts";
import type { ServedFile, Spoken } from "./spoken.ts";

/** What stays as long as a gateway runs. */
export type Fixed = { readonly files: readonly ServedFile[]; readonly asksForToken: boolean };

/** The files that the documents themselves are. */
const DOCUMENTS: readonly ServedFile[] = [
  { path: "/asyncapi.json", contentType: "application/json", isEarly: true },
  { path: "/openapi.json", contentType: "application/json" },
];

/**
 * The documents of a gateway, each made when it is asked for first, so that no start waits for it; that of the messages is made
 * again when there are others.
 */
export function documentsOf(spoken: () => Spoken | undefined, { files, asksForToken }: Fixed): Documents {
  let open: string | undefined;
  let async: { readonly of: Spoken; readonly text: string } | undefined;
  return {
    async openApi() {
      const { openApi } = await import("./openapi.ts");
      return open ??= JSON.stringify(openApi({ files: [...files, ...DOCUMENTS], asksForToken }));
    },
    async asyncApi() {
      const now = spoken();
      if (now === undefined) return undefined;
      if (async === undefined || !isSame(async.of, now)) {
        const { asyncApi } = await import("./asyncapi.ts");
        async = { of: now, text: JSON.stringify(asyncApi(now)) };
      }
      return async.text;
    },
  };
}

function isSame(a: Spoken, b: Spoken): boolean {
  return isEach(a.messages, b.messages) && isEach(a.namespaces, b.namespaces);
}

function isEach(some: readonly unknown[], others: readonly unknown[]): boolean {
  return some.length === others.length && some.every((one, i) => one === others[i]);
}
