/** Runs a server program: listens, tells the parent process where, and on a signal finishes what it accepted. */
import { createServer, type Server } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { getRequestListener } from "@hono/node-server";
import type { Hono } from "hono";
import type { Logger } from "pino";
import { UsageError } from "../usage-error.ts";
import type { HotRoute } from "./http/exchange.ts";
import { NodeExchange } from "./http/node-exchange.ts";
import { readPlainConnections } from "./http/plain-connections.ts";
import { followConnections } from "./small-heap.ts";
import { boundUnsentAnswers } from "./unsent-answers.ts";

/** How long a slow, stuck or vanished client may hold a connection, in milliseconds. */
export interface HttpTimeouts {
  /** From a request's first byte, or from the connection, to the end of its headers; then 408 and the end. */
  readonly headersTimeout: number;
  /** From a request's first byte to its last; then 408 and the end. */
  readonly requestTimeout: number;
  /** How often the two above are checked. */
  readonly connectionsCheckingInterval: number;
  /** How long an idle connection is kept; 0 for ever. Clients that batch have long pauses. */
  readonly keepAliveTimeout: number;
  /** TCP probes a connection without traffic after this time, so that a peer that vanished is noticed. */
  readonly keepAliveInitialDelay: number;
}

const defaultTimeouts: HttpTimeouts = {
  headersTimeout: 10_000,
  requestTimeout: 120_000,
  connectionsCheckingInterval: 1_000,
  keepAliveTimeout: 16 * 60_000,
  keepAliveInitialDelay: 30_000,
};

/** A function has none: its instance is frozen between calls, so a timer would cut off the call that thaws it. */
export const untimed: HttpTimeouts = {
  ...defaultTimeouts,
  headersTimeout: 0,
  requestTimeout: 0,
  keepAliveTimeout: 0,
};

/** @param hot gets every request first; what it does not take goes to the app */
export function createHttpServer(
  { fetch }: Pick<Hono, "fetch">,
  timeouts = defaultTimeouts,
  hot?: HotRoute,
): Server {
  // HTTP/1.0, which health checks of proxies speak, needs no Host header.
  const listener = getRequestListener(fetch, { hostname: "localhost" });
  const server = createServer({ ...timeouts, keepAlive: true }, (request, response) => {
    if (hot?.(new NodeExchange(request, response, watch)) === true) return;
    watch(response);
    void listener(request, response);
  });
  const watch = timeouts === untimed ? () => {} : boundUnsentAnswers(server, {}, false);
  if (hot !== undefined && timeouts !== untimed) readPlainConnections(server, timeouts, hot, watch);
  return server;
}

export interface Program {
  readonly app: Pick<Hono, "fetch">;
  /** Takes some requests before the app sees them. */
  readonly hot?: HotRoute | undefined;
  /** Default: timeouts that suit an open network. */
  readonly timeouts?: HttpTimeouts;
  /** Another way in, on a port of its own that is taken right after the first. */
  readonly door?: Door | undefined;
  /** Called once the program has its port, before it announces it; `stop` is aborted when it should end early. */
  prepare?(stop: AbortSignal, url: string): Promise<void>;
  /** Say from now on that the program is not ready, and still serve. */
  retire?(): void;
  /** How long to serve on after a signal and `retire`. Default 0. */
  readonly lameDuckMs?: number;
  /** Accept nothing new; resolve when everything accepted is answered and every child has ended. */
  close(): Promise<void>;
}

export interface Door {
  /** Such as `grpc`, for addresses. */
  readonly scheme: string;
  readonly port: number;
  /** The option that names the port. */
  readonly option: string;
  /** Rejects with what `net` says of an address that cannot be listened on. */
  open(host: string, port: number): Promise<OpenDoor>;
}

export interface OpenDoor {
  readonly port: number;
  /** Takes nothing new, and resolves when everything that came in is answered. */
  close(): Promise<void>;
}

/** What a program sends to the process that spawned it, once it listens and is prepared. */
export interface ListeningMessage {
  readonly kind: "listening";
  readonly url: string;
  /** The address of the other door, where there is one. */
  readonly doorUrl?: string;
}

/** Longest time for draining, in milliseconds; then the program exits with 1. */
const drainTimeoutMs = 30_000;

/**
 * Serve until a signal comes or the parent's channel closes. Returns the exit status when everything is drained. The
 * port is taken first, so that a busy port is found before the program loads anything.
 *
 * @throws UsageError when the program cannot listen on the address, and what `prepare` throws; the program is then closed
 */
export async function serve(program: Program, host: string, port: number, log: Logger): Promise<number> {
  const server = createHttpServer(program.app, program.timeouts, program.hot);
  followConnections(server);
  // Signals are handled before anything is announced, so that none comes too early.
  const stopped = stopRequested();
  let door: OpenDoor | undefined;
  try {
    await listen(server, host, port);
    const url = urlOf(server, host);
    door = program.door && (await opened(program.door, host));
    const other = program.door && door ? { doorUrl: addressOf(program.door.scheme, host, door.port) } : {};
    log.info({ url, ...other }, "listening");
    const stop = new AbortController();
    void stopped.then(() => stop.abort());
    await program.prepare?.(stop.signal, url);
    if (!stop.signal.aborted) process.send?.({ kind: "listening", url, ...other } satisfies ListeningMessage);
  } catch (error) {
    await Promise.all([program.close(), closeServer(server), door?.close()]);
    throw error;
  }
  const reason = await stopped;
  program.retire?.();
  const lameDuckMs = reason === "parent gone" ? 0 : (program.lameDuckMs ?? 0);
  if (lameDuckMs > 0) {
    log.info({ reason, lameDuckS: lameDuckMs / 1_000 }, "no longer ready; still serving");
    await delay(lameDuckMs);
  }
  log.info({ reason }, "draining");
  const force = setTimeout(() => {
    log.error({ drainTimeoutMs }, "not drained in time; giving up");
    process.exit(1);
  }, drainTimeoutMs);
  await Promise.all([program.close(), door?.close()]);
  await closeServer(server);
  clearTimeout(force);
  log.info("stopped");
  return 0;
}

/** Resolves with the reason to stop. A second signal ends the program at once. */
function stopRequested(): Promise<string> {
  return new Promise((resolve) => {
    let isStopping = false;
    const stop = (reason: string): void => {
      if (isStopping && reason !== "parent gone") process.exit(130);
      isStopping = true;
      resolve(reason);
    };
    process.on("SIGINT", stop);
    process.on("SIGTERM", stop);
    process.on("disconnect", () => stop("parent gone"));
  });
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(new UsageError(whyNotListening(error, host, port, "--port")));
    });
    server.listen(port, host, () => resolve());
  });
}

async function opened(door: Door, host: string): Promise<OpenDoor> {
  try {
    return await door.open(host, door.port);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    throw new UsageError(whyNotListening(error as NodeJS.ErrnoException, host, door.port, door.option));
  }
}

function whyNotListening(
  { code, message }: NodeJS.ErrnoException,
  host: string,
  port: number,
  option: string,
): string {
  switch (code) {
    case "EADDRINUSE":
      return `port ${port} of ${host} is in use; choose another with ${option}, or 0 for a free one`;
    case "EACCES":
      return `port ${port} of ${host} needs permission; choose another with ${option}`;
    default:
      return `cannot listen on host ${host} (${code ?? message}); choose an address of this machine with --host`;
  }
}

function urlOf(server: Server, host: string): string {
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return addressOf("http", host, port);
}

function addressOf(scheme: string, host: string, port: number): string {
  return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Close every connection as soon as it is idle; one with a request answers it first. */
function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const closeIdle = (): void => server.closeIdleConnections();
    const again = setInterval(closeIdle, 20);
    server.close(() => {
      clearInterval(again);
      resolve();
    });
    closeIdle();
  });
}
