/**
 * Reads the requests of a hot route itself, right on the sockets of a Node HTTP server, and leaves every connection with
 * anything else to that server. Node's own messages cost more than all the rest of a small request.
 *
 *     readPlainConnections(server, timeouts, route, watch); // before it listens
 */
import type { Buffer } from "node:buffer";
import type { Server } from "node:http";
import type { Socket } from "node:net";
import type { WatchAnswer } from "../unsent-answers.ts";
import type { HotRoute } from "./exchange.ts";
import { PlainConnection, type PlainServer } from "./plain-connection.ts";
import { longestPlainHead, type PlainHead, readPlainHead } from "./plain-head.ts";

/** The times of `HttpTimeouts` that hold here, in milliseconds. */
type PlainTimeouts = Readonly<
  Record<"headersTimeout" | "requestTimeout" | "keepAliveTimeout" | "connectionsCheckingInterval", number>
>;

/** Most heads that are remembered. */
const mostHeads = 64;

export function readPlainConnections(
  server: Server,
  timeouts: PlainTimeouts,
  route: HotRoute,
  watch: WatchAnswer,
): void {
  const [byNode] = server.listeners("connection");
  if (byNode === undefined) throw new Error("the server has no listener for connections");
  const connections = new Set<PlainConnection>();
  const heads = new Map<string, PlainHead>();
  const { keepAliveTimeout, headersTimeout, requestTimeout, connectionsCheckingInterval } = timeouts;
  const plain = {
    route,
    watch,
    keepAliveLine:
      keepAliveTimeout > 0 ? `Keep-Alive: timeout=${Math.floor(keepAliveTimeout / 1_000)}\r\n` : "",
    headIn: (chunk: Buffer) => headIn(chunk, heads),
    handOver: (socket: Socket) => void byNode.call(server, socket),
    ticks: 0,
    ended: (connection: PlainConnection) => void connections.delete(connection),
  } satisfies PlainServer;
  const longestMs = { new: headersTimeout, reading: requestTimeout, idle: keepAliveTimeout, answering: 0 };
  const look = (): void => {
    plain.ticks++;
    for (const connection of connections) {
      const { wait, waitedTicks } = connection;
      const mostMs = longestMs[wait];
      if (mostMs === 0 || waitedTicks * connectionsCheckingInterval < mostMs) continue;
      if (wait === "idle") connection.socket.destroy();
      else connection.timedOut();
    }
  };
  const timer = setInterval(look, connectionsCheckingInterval).unref();
  server.once("close", () => clearInterval(timer));
  server.off("connection", byNode as (socket: Socket) => void);
  server.on("connection", (socket: Socket) => connections.add(new PlainConnection(socket, plain)));

  const closeIdle = server.closeIdleConnections.bind(server);
  server.closeIdleConnections = () => {
    closeIdle();
    for (const { wait, socket } of connections) if (wait === "idle" || wait === "new") socket.destroy();
  };
  const closeAll = server.closeAllConnections.bind(server);
  server.closeAllConnections = () => {
    closeAll();
    for (const { socket } of connections) socket.destroy();
  };
}

/** Clients of one kind send one head, so that a new connection need not read it again. */
function headIn(chunk: Buffer, heads: Map<string, PlainHead>): PlainHead | undefined {
  const text = chunk.toString("latin1", 0, Math.min(chunk.length, longestPlainHead));
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const own = text.slice(0, end + 4);
  const known = heads.get(own);
  if (known !== undefined) return known;
  const head = readPlainHead(own);
  if (head === undefined) return undefined;
  if (heads.size >= mostHeads) heads.clear();
  heads.set(own, head);
  return head;
}
