/** A fault of whoever listens, if anybody does, is reported, where the runtime can, or else thrown in a turn of its own: it is nobody else's. */
export function guarded<A extends unknown[]>(
  listener: ((...told: A) => void) | undefined,
): (...told: A) => void {
  return (...told) => {
    try {
      listener?.(...told);
    } catch (error) {
      if (typeof globalThis.reportError === "function") return globalThis.reportError(error);
      setTimeout(() => {
        throw error;
      });
    }
  };
}
