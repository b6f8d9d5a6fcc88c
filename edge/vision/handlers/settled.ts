/** The outcome of what may throw, as a value: what is one request's fault must not end the others of its batch. */

export type Settled<T> = T | Error;

export async function settled<T>(call: () => Promise<T>): Promise<Settled<T>> {
  try {
    return await call();
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
