/**
 * Runs a server program: puts its app on a port, tells the parent process where, and on the first SIGINT or
 * SIGTERM lets everything that was accepted be answered before it exits 0.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { ServerType } from "@hono/node-server";
import type { Hono } from "hono";
import type { Logger } from "pino";
import { createHttpServer, type HttpTimeouts } from "./http-server.ts";
import { UsageError } from "../usage-error.ts";

export interface Program {
  readonly app: Pick<Hono, "fetch">;
  /** What bounds slow and idle connections; without it the times that suit an open network. */
  readonly timeouts?: HttpTimeouts;
  /** What is to be done once the port is the program's own, before it is announced; `stop` ends it early. */
  prepare?(stop: AbortSignal): Promise<void>;
  /** Say from now on that it is not ready, and still serve. */
  retire?(): void;
  /** After a signal: how long to serve on after `retire`. Default 0. */
  readonly lameDuckMs?: number;
  /** Take nothing new and resolve when all that was accepted is answered and every child has ended. */
  close(): Promise<void>;
}

/** What a program says to the process that spawned it, once it listens and is prepared. */
export interface ListeningMessage {
  readonly kind: "listening";
  readonly url: string;
}

/** Longest time for draining, in milliseconds; after it the program exits 1. */
const drainTimeoutMs = 30_000;

/**
 * Serve until a signal or the end of the parent's channel. Returns the exit status when all is drained. The port
 * is taken first, so that one that is busy is found before a program has loaded anything.
 *
 * @throws UsageError when the address cannot be listened on, and what `prepare` throws; the program is closed then
 */
export async function serve(program: Program, host: string, port: number, log: Logger): Promise<number> {
  const server = createHttpServer(program.app, program.timeouts);
  // Registered before anything is announced, so that no signal can come too early.
  const stopped = stopRequested();
  try {
    await listen(server, host, port);
    const url = urlOf(server, host);
    log.info({ url }, "listening");
    const stop = new AbortController();
    void stopped.then(() => stop.abort());
    await program.prepare?.(stop.signal);
    if (!stop.signal.aborted) process.send?.({ kind: "listening", url } satisfies ListeningMessage);
  } catch (error) {
    await Promise.all([program.close(), closeServer(server)]);
    throw error;
  }
  const reason = await stopped;
  program.retire?.();
  const lameDuckMs = reason === "parent gone" ? 0 : (program.lameDuckMs ?? 0);
  if (lameDuckMs > 0) {
    log.info({ reason, lameDuckS: lameDuckMs / 1_000 }, "not ready any more; serving on");
    await delay(lameDuckMs);
  }
  log.info({ reason }, "draining");
  const force = setTimeout(() => {
    log.error({ drainTimeoutMs }, "not drained in time; giving up");
    process.exit(1);
  }, drainTimeoutMs);
  await program.close();
  await closeServer(server);
  clearTimeout(force);
  log.info("stopped");
  return 0;
}

function stopRequested(): Promise<string> {
  return new Promise((resolve) => {
    let asked = false;
    const stop = (reason: string): void => {
      if (asked && reason !== "parent gone") process.exit(130);
      asked = true;
      resolve(reason);
    };
    process.on("SIGINT", stop);
    process.on("SIGTERM", stop);
    process.on("disconnect", () => stop("parent gone"));
  });
}

function listen(server: ServerType, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(new UsageError(whyNotListening(error, host, port)));
    });
    server.listen(port, host, () => resolve());
  });
}

function whyNotListening({ code, message }: NodeJS.ErrnoException, host: string, port: number): string {
  switch (code) {
    case "EADDRINUSE":
      return `port ${port} of ${host} is in use; choose another with --port, or 0 for a free one`;
    case "EACCES":
      return `port ${port} of ${host} needs permission; choose another with --port`;
    default:
      return `host ${host} cannot be listened on (${code ?? message}); choose an address of this machine with --host`;
  }
}

function urlOf(server: ServerType, host: string): string {
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Connections that carry a request may answer it first; then they are idle and closed too. */
function closeServer(server: ServerType): Promise<void> {
  return new Promise((resolve) => {
    const closeIdle = (): void => {
      if ("closeIdleConnections" in server) server.closeIdleConnections();
    };
    const again = setInterval(closeIdle, 20);
    server.close(() => {
      clearInterval(again);
      resolve();
    });
    closeIdle();
  });
}
