/** Takes out what was put in first, and returns its key; undefined where there is nothing. */
export function forgetFirst<K>(from: Pick<Map<K, unknown> | Set<K>, "keys" | "delete">): K | undefined {
  for (const first of from.keys()) {
    from.delete(first);
    return first;
  }
  return undefined;
}
