/**
 * The few assertions the tests use, with the names and signatures of `@std/assert`, over `node:assert`.
 * The import map points `@std/assert` here because JSR is not reachable everywhere the tests run;
 * pointing it at `jsr:@std/assert@1` instead works unchanged.
 */
import nodeAssert from "node:assert/strict";

/** An assertion did not hold. */
export class AssertionError extends Error {
  override name = "AssertionError";
}

/** Asserts that `expr` is truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg || "Expected a truthy value");
}

/** Asserts deep, strict equality. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  if (msg === undefined) return nodeAssert.deepStrictEqual(actual, expected);
  try {
    nodeAssert.deepStrictEqual(actual, expected);
  } catch (error) {
    throw new AssertionError(`${msg}\n${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Asserts that two values are not deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  nodeAssert.notDeepStrictEqual(actual, expected, failure(msg));
}

/** Asserts identity (`Object.is`). */
export function assertStrictEquals<T>(actual: unknown, expected: T, msg?: string): asserts actual is T {
  nodeAssert.strictEqual(actual, expected, failure(msg));
}

/** Asserts that `actual` is neither null nor undefined. */
export function assertExists<T>(actual: T, msg = "Expected a value"): asserts actual is NonNullable<T> {
  if (actual === undefined || actual === null) throw new AssertionError(msg);
}

/** Asserts that `actual` matches `expected`. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  nodeAssert.match(actual, expected, failure(msg));
}

/** Asserts that `actual` contains `expected`. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (!actual.includes(expected)) {
    throw new AssertionError(
      msg ?? `Expected ${JSON.stringify(actual)} to contain ${JSON.stringify(expected)}`,
    );
  }
}

// Any class of errors will do, whatever its constructor takes.
type ErrorClass<E extends Error> = new (...args: never[]) => E;

/** Asserts that `fn` throws, optionally an instance of `errorClass` whose message includes `msgIncludes`. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  errorClass?: ErrorClass<E>,
  msgIncludes?: string,
): E {
  try {
    fn();
  } catch (error) {
    return checked(error, errorClass, msgIncludes);
  }
  throw new AssertionError("Expected function to throw");
}

/** Asserts that `fn` rejects, optionally with an instance of `errorClass` whose message includes `msgIncludes`. */
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  errorClass?: ErrorClass<E>,
  msgIncludes?: string,
): Promise<E> {
  try {
    await fn();
  } catch (error) {
    return checked(error, errorClass, msgIncludes);
  }
  throw new AssertionError("Expected promise to reject");
}

/** As an error, since the type packages of Node disagree on whether a message may be undefined. */
function failure(msg: string | undefined): AssertionError | undefined {
  return msg === undefined ? undefined : new AssertionError(msg);
}

function checked<E extends Error>(error: unknown, errorClass?: ErrorClass<E>, msgIncludes?: string): E {
  if (!(error instanceof (errorClass ?? Error))) {
    throw new AssertionError(`Expected ${errorClass?.name ?? "Error"}, got ${String(error)}`);
  }
  if (msgIncludes !== undefined) assertStringIncludes(error.message, msgIncludes);
  return error as E;
}
