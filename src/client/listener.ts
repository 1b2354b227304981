/** A fault of whoever listens is reported, where the runtime can, or else thrown in a turn of its own: it is nobody else's. */
export function guarded<A>(listener: (argument: A) => void): (argument: A) => void {
  return (argument) => {
    try {
      listener(argument);
    } catch (error) {
      if (typeof globalThis.reportError === "function") return globalThis.reportError(error);
      setTimeout(() => {
        throw error;
      });
    }
  };
}
