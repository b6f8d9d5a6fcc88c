/**
 * What stands in the place of edges while a daemon without targets of its own waits for the first one to join: a queue has a
 * target always. It takes nothing, and is removed when there is another.
 */
import { NotSentFailure } from "../../transports/transport.ts";
import type { HttpTransport } from "../../transports/http-transport.ts";

export const awaitedEdges = { name: "awaited-edges", url: "nats:" } as const;

export const noneJoined = "no edge has joined yet";

const refuse = (): Promise<never> => Promise.reject(new NotSentFailure("target_unreachable", noneJoined));

/** Fails whatever it is asked, at once. */
export function awaitedTransport(): HttpTransport {
  return { call: refuse, get: refuse, post: refuse, close: () => Promise.resolve() };
}
