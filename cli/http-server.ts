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
   * How long an idle connection is kept. Function Compute asks for 15 minutes or more, and clients that batch have
   * long pauses too.
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

export function createHttpServer(
  { fetch }: Pick<Hono, "fetch">,
  timeouts: HttpTimeouts = defaultTimeouts,
): ServerType {
  return createAdaptorServer({ fetch, serverOptions: { ...timeouts, keepAlive: true } });
}
