import type { IncomingMessage, ServerResponse } from "node:http";
import type { MiddlewareHandler } from "hono";
import { othersFirst } from "../log/others_first.ts";
import type { Asking } from "./asking.ts";
import { problemResponse, tooManyRequests } from "./problem.ts";

/** Paths of which the answer may be some MiB, for a few bytes of asking: lists of tasks, and of events. */
export const LARGE: RegExp = /^\/api\/tasks(\/[^/]+\/events)?\/?$/;
/** When who was one too many may come again, ms. */
const LATER_MS = 1_000;
/** So many large answers are under way at once, from the asking until they are taken; and so many of one address. */
const AT_ONCE = 32;
const OF_ONE = 4;
/** So many requests wait for that; and so many of one address. */
const MAX_WAITING = 256;
const MAX_WAITING_OF_ONE = 32;

/**
 * Has requests for large answers wait for their turn. It goes by the path that the router goes by: that of a target has many
 * spellings. `refused` is told of each request that was one too many.
 */
export function inTurn(refused: () => void): MiddlewareHandler<Asking> {
  const large = new LargeAnswers();
  return async (c, next) => {
    const { method, path } = c.req;
    if (!LARGE.test(path) || (method !== "GET" && method !== "HEAD")) return await next();
    const { incoming: request, outgoing: response } = c.env;
    const turn = Promise.withResolvers<void>();
    response.once("close", turn.resolve); // it is not begun any more then
    if (!large.ask({ address: c.var.address, request, response }, turn.resolve)) {
      refused();
      return problemResponse(tooManyRequests(LATER_MS));
    }
    await turn.promise;
    return response.destroyed ? problemResponse(tooManyRequests(LATER_MS)) : await next();
  };
}

/** A request for one, and by which name the limits count whoever sent it. */
type Asked = {
  readonly address: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
};

type Waiting = { readonly address: string; readonly begin: () => void; readonly isOver: () => boolean };

/**
 * Large answers, a few at a time, and one a turn of the event loop: so that who asks for hundreds at once, and reads none of
 * them, takes neither the memory nor the time of others.
 */
class LargeAnswers {
  readonly #waiting: Waiting[] = [];
  readonly #underWay = new Map<string, number>();
  #count = 0;
  #isBeginning = false;

  /** Calls `begin` when its turn has come; false where too many wait already. */
  ask({ address, request, response }: Asked, begin: () => void): boolean {
    const waitingOfOne = this.#waiting.filter((waiting) => waiting.address === address).length;
    if (this.#waiting.length >= MAX_WAITING || waitingOfOne >= MAX_WAITING_OF_ONE) return false;
    const isOver = (): boolean => response.destroyed || request.socket.destroyed;
    this.#waiting.push({ address, isOver, begin: () => this.#begin(address, response, begin) });
    void this.#goOn();
    return true;
  }

  #begin(address: string, response: ServerResponse, begin: () => void): void {
    this.#count++;
    this.#underWay.set(address, (this.#underWay.get(address) ?? 0) + 1);
    response.once("close", () => {
      this.#count--;
      const left = (this.#underWay.get(address) ?? 1) - 1;
      if (left === 0) this.#underWay.delete(address);
      else this.#underWay.set(address, left);
      void this.#goOn();
    });
    begin();
  }

  /** Begins what may begin. It never rejects. */
  async #goOn(): Promise<void> {
    if (this.#isBeginning) return;
    this.#isBeginning = true;
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      next.begin();
      await othersFirst();
    }
    this.#isBeginning = false;
  }

  #next(): Waiting | undefined {
    if (this.#count >= AT_ONCE) return undefined;
    const i = this.#waiting.findIndex(({ address, isOver }) =>
      isOver() || (this.#underWay.get(address) ?? 0) < OF_ONE
    );
    if (i < 0) return undefined;
    const [next] = this.#waiting.splice(i, 1);
    return next?.isOver() === true ? this.#next() : next;
  }
}
