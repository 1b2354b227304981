import { type Context, Hono } from "hono";
import { PUBLIC_CODE, served } from "./assets.ts";
import { problemResponse, unavailable } from "./problem.ts";

/** What tells programs how to talk with the gateway. */
export interface Documents {
  /** AsyncAPI, as JSON: the same text for as long as nothing has changed; undefined before it is known. */
  asyncApi(): Promise<string | undefined>;
  /** OpenAPI, likewise. */
  openApi(): Promise<string>;
}

/** `/asyncapi.json` and `/openapi.json`, for everybody, from the pages of any site: they tell of no task. */
export function documentRoutes(documents: Documents): Hono {
  const routes = new Hono();
  routes.get("/asyncapi.json", answering("/asyncapi.json", () => documents.asyncApi()));
  routes.get("/openapi.json", answering("/openapi.json", () => documents.openApi()));
  return routes;
}

/** Makes what is sent when the text is another one than before. */
function answering(path: string, text: () => Promise<string | undefined>): (c: Context) => Promise<Response> {
  const encoder = new TextEncoder();
  let last = { text: "", answer: (_c: Context): Response => new Response(null, { status: 500 }) };
  return async (c) => {
    const now = await text();
    if (now === undefined) return problemResponse(unavailable("SERVER_ERROR", "the log is not in reach yet"));
    if (now !== last.text) {
      const body = encoder.encode(now);
      last = {
        text: now,
        answer: served({ path, contentType: "application/json", body, headers: PUBLIC_CODE }),
      };
    }
    return last.answer(c);
  };
}
