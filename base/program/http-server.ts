/** The HTTP server under every program, with the times that bound what a slow, stuck or vanished client can hold. */
import { createAdaptorServer, type ServerType } from "@hono/node-server";
import type { Hono } from "hono";

/** All in milliseconds. */
export interface HttpTimeouts {
  /** From a request's first byte, or from the connection, to the end of its headers; then 408 and an end. */
  readonly headersTimeout: number;
  /** From a request's first byte to its last; then 408 and an end. */
  readonly requestTimeout: number;
  /** How often the two above are looked at. */
  readonly connectionsCheckingInterval: number;
  /**
   * How long an idle connection is kept; 0 without end. Clients that batch have long pauses.
   */
  readonly keepAliveTimeout: number;
  /** A connection without traffic for that long is probed by TCP, so that a peer that vanished is found out. */
  readonly keepAliveInitialDelay: number;
}

const defaultTimeouts: HttpTimeouts = {
  headersTimeout: 10_000,
  requestTimeout: 120_000,
  connectionsCheckingInterval: 1_000,
  keepAliveTimeout: 16 * 60_000,
  keepAliveInitialDelay: 30_000,
};

/**
 * For a function: no times at all, as its platform asks. An instance is frozen between calls, so a timer would fire just
 * when it thaws for the next one, and cut it off; and slow clients are the platform's, which reads their requests first.
 */
export const untimed: HttpTimeouts = {
  ...defaultTimeouts,
  headersTimeout: 0,
  requestTimeout: 0,
  keepAliveTimeout: 0,
};

export function createHttpServer(
  { fetch }: Pick<Hono, "fetch">,
  timeouts: HttpTimeouts = defaultTimeouts,
): ServerType {
  return createAdaptorServer({ fetch, serverOptions: { ...timeouts, keepAlive: true } });
}
