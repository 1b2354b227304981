/** A fault of whoever listens is reported, and nobody else's. */
export function guarded<A>(listener: (argument: A) => void): (argument: A) => void {
  return (argument) => {
    try {
      listener(argument);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  };
}
