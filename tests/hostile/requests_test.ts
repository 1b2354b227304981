import { assert, assertEquals } from "@std/assert";
import { RawPeer } from "../transport/raw_peer.ts";
import { AttackedGateway } from "./attacked_gateway.ts";
import { joined, utf8 } from "./raw_bytes.ts";
import { FILES, ORIGINS, PATHS, UPGRADES } from "./resemblances.ts";
import { type Answer, exchange, requestOf, upgradeOf } from "./raw_http.ts";

const TOKEN = "operator-token-0123456789";
const GOOD_ORIGIN = "https://good.example";
const SHOWN = { Authorization: `Bearer ${TOKEN}` };

const target = AttackedGateway.forAllTests({
  settings: {
    AUTH: "token",
    AUTH_TOKENS: `operator:${TOKEN}:admin`,
    ALLOWED_ORIGINS: `${GOOD_ORIGIN},https://good.example:8443`,
    REQUESTS_PER_SECOND: "100000",
    REQUESTS_BURST: "100000",
  },
  headers: SHOWN,
});

async function answered(bytes: Uint8Array): Promise<Answer> {
  const answer = await exchange(target.port, bytes);
  if (answer === undefined) throw new Error("It was not answered");
  assert(!/\p{Cc}/u.test(answer.body.replaceAll("\n", "")) || answer.status === 200, answer.body);
  assert(!answer.body.includes("root:") && !answer.body.includes("DATA_DIR"), answer.body);
  return answer;
}

Deno.test("no spelling of a path leads past who asks for a token", async (t) => {
  await target.withstands(async () => {
    for (const path of PATHS) {
      await t.step(path, async () => {
        for (const method of ["GET", "HEAD", "POST", "OPTIONS"]) {
          const { status, body } = await answered(
            requestOf(`${method} ${path} HTTP/1.1`, { "Content-Length": "0" }),
          );
          // A browser that asks what it may ask is told that without a token.
          const isTold = method === "OPTIONS" && status === 204 && body === "";
          assert(isTold || [400, 401, 404, 405].includes(status), `${method} ${status}`);
        }
      });
    }
  });
});

Deno.test("no path leads to a file that is not served", async (t) => {
  await target.withstands(async () => {
    for (const path of FILES) {
      await t.step(path, async () => {
        const { status } = await answered(requestOf(`GET ${path} HTTP/1.1`, SHOWN));
        assert([400, 404].includes(status), String(status));
      });
    }
  });
});

Deno.test("an upgrade is taken on its four paths to the letter, and 404 on any other", async (t) => {
  await target.withstands(async () => {
    for (const path of UPGRADES) {
      await t.step(path, async () => {
        assertEquals((await answered(upgradeOf(path, SHOWN))).status, 404);
      });
    }
    // A proxy may name the host of what it asks for, which changes nothing of who has to show a token.
    using peer = await RawPeer.connect(target.port, "http://gateway.test/ws?token=guessed-guessed-guessed");
    assertEquals((await peer.untilClosed()).code, 4401);
    await peer.end();
  });
});

Deno.test("a page of a foreign site may connect, stream, ask and write nothing, whatever its origin resembles", async (t) => {
  await target.withstands(async () => {
    for (const origin of ORIGINS) {
      await t.step(origin, async () => {
        const headers = { ...SHOWN, Origin: origin };
        const json = { "Content-Type": "application/json", "Content-Length": "18" };
        const asked = [
          upgradeOf("/ws", headers),
          requestOf("GET /api/stream?topics=task:list HTTP/1.1", headers),
          requestOf("GET /api/tasks HTTP/1.1", headers),
          requestOf("POST /api/tasks/a/events HTTP/1.1", { ...headers, ...json }, '{"kind":"started"}'),
          requestOf("POST /api/tickets HTTP/1.1", { ...headers, "Content-Length": "0" }),
          requestOf("OPTIONS /api/tasks HTTP/1.1", { ...headers, "Access-Control-Request-Method": "GET" }),
        ];
        for (const bytes of asked) {
          const answer = await answered(bytes);
          assertEquals(answer.status, 403, answer.body);
          assertEquals(answer.headers.get("access-control-allow-origin"), undefined);
        }
      });
    }
    assertEquals((await answered(requestOf("GET /api/tasks/a HTTP/1.1", SHOWN))).status, 404);
    const good = await answered(requestOf("GET /api/tasks HTTP/1.1", { ...SHOWN, Origin: GOOD_ORIGIN }));
    assertEquals([good.status, good.headers.get("access-control-allow-origin")], [200, GOOD_ORIGIN]);
    assertEquals(good.headers.get("access-control-allow-credentials"), undefined);
    const upgraded = await exchange(target.port, upgradeOf("/ws", { ...SHOWN, Origin: GOOD_ORIGIN }));
    assertEquals(upgraded?.status, 101);
  });
});

const HEAD = "GET /api/tasks/nobody HTTP/1.1\r\n";
const REST = `Host: gateway.test\r\nConnection: close\r\nAuthorization: Bearer ${TOKEN}\r\n`;

/** Requests whose head somebody in front may read otherwise than we do, and those that are too long. */
const HEADS: Readonly<Record<string, string>> = {
  "a header with a NUL in it": `${HEAD}${REST}X-A: a\0b\r\n\r\n`,
  "a header with a bare CR in it": `${HEAD}${REST}X-A: a\rX-B: b\r\n\r\n`,
  "a header's name with a space before the colon": `${HEAD}${REST}X-A : b\r\n\r\n`,
  "a header's name with a NUL in it": `${HEAD}${REST}X\0A: b\r\n\r\n`,
  "a header without a name": `${HEAD}${REST}: b\r\n\r\n`,
  "a line that is no header": `${HEAD}${REST}nothing\r\n\r\n`,
  "two lengths":
    `POST /api/tasks/a/events HTTP/1.1\r\n${REST}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} `,
  "a length and chunks":
    `POST /api/tasks/a/events HTTP/1.1\r\n${REST}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  "chunks that are not the last encoding":
    `POST /api/tasks/a/events HTTP/1.1\r\n${REST}Transfer-Encoding: chunked, x\r\n\r\n0\r\n\r\n`,
  "a length that is no number": `POST /api/tasks/a/events HTTP/1.1\r\n${REST}Content-Length: +2\r\n\r\n{}`,
  "a length below nothing": `POST /api/tasks/a/events HTTP/1.1\r\n${REST}Content-Length: -2\r\n\r\n{}`,
  "no host": `${HEAD}Connection: close\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`,
  "a host that is none": `${HEAD}${REST.replace("gateway.test", "a b")}\r\n`,
  "a line break in its target": `GET /api/tasks\n HTTP/1.1\r\n${REST}\r\n`,
  "a NUL in its target": `GET /api/tasks\0 HTTP/1.1\r\n${REST}\r\n`,
  "a space in its target": `GET /api/tasks nobody HTTP/1.1\r\n${REST}\r\n`,
  "no target": `GET HTTP/1.1\r\n${REST}\r\n`,
  "a version that is none": `GET /api/tasks HTTP/9.9\r\n${REST}\r\n`,
  "a method that is none": `G=T /api/tasks HTTP/1.1\r\n${REST}\r\n`,
  "two tokens": `${HEAD}${REST}Authorization: Bearer guessed-guessed\r\n\r\n`,
};

Deno.test("a request that can be read in several ways is refused, or read in the one that HTTP has", async (t) => {
  await target.withstands(async () => {
    for (const [name, text] of Object.entries(HEADS)) {
      await t.step(name, async () => {
        const answer = await exchange(target.port, utf8(text));
        assert(
          answer === undefined || [400, 401, 404].includes(answer.status),
          `${answer?.status} ${answer?.body}`,
        );
        if (!/bare|two tokens/.test(name)) {
          assert(answer?.status === undefined || answer.status === 400, name);
        }
      });
    }
    await t.step("a header of 16 KiB", async () => {
      const long = requestOf("GET /api/tasks/nobody HTTP/1.1", { ...SHOWN, "X-A": "x".repeat(16_384) });
      assertEquals((await answered(long)).status, 431);
    });
    await t.step("a token behind 1,900 other headers", async () => {
      const many = Object.fromEntries(Array.from({ length: 1_900 }, (_, i) => [`x${i}`, ""]));
      const { status } = await answered(requestOf("GET /api/tasks/nobody HTTP/1.1", { ...many, ...SHOWN }));
      assertEquals(status, 404, "none of them is passed over");
      assertEquals((await answered(upgradeOf("/ws", { ...many, Origin: "https://evil.test" }))).status, 403);
    });
    await t.step("a target of 16 KiB", async () => {
      const long = requestOf(`GET /api/tasks/${"x".repeat(16_384)} HTTP/1.1`, SHOWN);
      assertEquals((await answered(long)).status, 431);
    });
    await t.step("an upgrade with a target of 16 KiB", async () => {
      assertEquals((await answered(upgradeOf(`/ws?token=${"x".repeat(16_384)}`))).status, 431);
    });
    await t.step("a second request hidden in a body is a body", async () => {
      const hidden = requestOf("POST /api/tasks/smuggled/events HTTP/1.1", {
        ...SHOWN,
        "Content-Type": "application/json",
        "Content-Length": "18",
      }, '{"kind":"started"}');
      const carrier = requestOf("GET /api/tasks/nobody HTTP/1.1", {
        ...SHOWN,
        "Content-Length": String(hidden.length),
        Connection: "close",
      });
      await answered(joined([carrier, hidden]));
      assertEquals((await answered(requestOf("GET /api/tasks/smuggled HTTP/1.1", SHOWN))).status, 404);
    });
  });
});

/** Queries that say something twice, or in a way that decodes into something else. */
const QUERIES: Readonly<Record<string, number>> = {
  "limit=1&limit=1000": 400,
  "status=running&status=failed": 400,
  "tag=a&tag=b": 400,
  "at_seq=1&at_seq=2": 400,
  "limit=%31&limit=2": 400,
  "limit=1%00": 400,
  "limit=1%0d%0aX-A:%20b": 400,
  "limit=0x10": 400,
  "limit=1e3": 400,
  "limit=%2b1": 400,
  "limit=-1": 400,
  "limit=9007199254740993": 400,
  "limit=\u0661": 400,
  "limit[]=1": 200,
  "limit[$gt]=1": 200,
  "__proto__[limit]=1": 200,
  "__proto__=1&constructor=2": 200,
  "tag=%zz": 400,
  "tag=%ff": 400,
  "tag=%c0%ae": 400,
  "tag=%u002e": 400,
  "tag=%2500": 400,
  "tag=a%00b": 400,
  "tag=a%0d%0aSet-Cookie:%20a=b": 400,
  "tag=%3Cscript%3Ealert(1)%3C/script%3E": 400,
  "status=running%00": 400,
  "page=1;limit=2": 400,
  "%6cimit=0": 400,
  "limit=5&%6cimit=6": 400,
  "token=guessed-guessed-guessed": 200,
};

Deno.test("a query that says something twice, or hides something, is refused or means nothing", async (t) => {
  await target.withstands(async () => {
    for (const [query, status] of Object.entries(QUERIES)) {
      await t.step(query, async () => {
        const answer = await answered(requestOf(`GET /api/tasks?${query} HTTP/1.1`, SHOWN));
        assertEquals(answer.status, status, answer.body);
        assertEquals(answer.headers.get("x-a") ?? answer.headers.get("set-cookie"), undefined);
        assert(!answer.body.includes("<script"));
      });
    }
    for (
      const query of ["token=a&token=b", `token=${TOKEN}&token=${TOKEN}`, `token=&token=${TOKEN}&token=x`]
    ) {
      await t.step(`an upgrade with ${query.replaceAll(TOKEN, "good")}`, async () => {
        using peer = await RawPeer.connect(target.port, `/ws?${query}`);
        assertEquals((await peer.untilClosed()).code, 4400);
        await peer.end();
      });
    }
    for (
      const id of ["a&client_id=%0d%0aX-A:%20b", "a%0d%0aX-A:%20b", "%00", "a%2c", "%3Cb%3E", "x".repeat(129)]
    ) {
      await t.step(`an upgrade with client_id=${id.slice(0, 30)}`, async () => {
        using peer = await RawPeer.connect(target.port, `/ws?client_id=${id}`, [[
          "Authorization",
          SHOWN.Authorization,
        ]]);
        assertEquals(peer.header("x-a"), undefined);
        if (id.startsWith("a&")) return assertEquals((await peer.next())?.opcode, 1); // the first is the one
        assertEquals((await peer.untilClosed()).code, 4400);
        await peer.end();
      });
    }
  });
});
