/**
 * Keeps V8's heap small while little of it is in use at a time. Left alone, V8 lets the young generation of a program that
 * answers small requests for long grow to 48 MiB, and the old one to several times of what is live. With many connections
 * more is alive at a time, and a larger young generation keeps that from being copied again and again: then V8 decides.
 */
import type { Server } from "node:net";
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";

/** From so many connections on a heap may grow, and from half as many on no more. */
const manyConnections = 256;

/** What scavenges of small requests and of JSON need, in bytes; both halves of the young generation together. */
const youngBytes = 8 * 2 ** 20;
const growthFactor = 4;
/** It may not grow so far, because the machine is small or its user has set a bound. */
const mostTries = 16;

let isWanted = false;

/** Call it before much is loaded: a young generation that has grown does not become smaller. */
export function keepHeapSmall(): void {
  isWanted = true;
  // It grows by what survives in it.
  setFlagsFromString(`--semi-space-growth-factor=${growthFactor}`);
  for (let tries = 0; tries < mostTries && youngSize() < youngBytes; tries++)
    Array.from({ length: 20_000 }, (_, at) => ({ at }));
  setFlagsFromString("--semi-space-growth-factor=1");
  setFlagsFromString("--heap-growing-percent=50");
}

function youngSize(): number {
  return (
    getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space")?.space_size ?? Infinity
  );
}

function letHeapGrow(): void {
  setFlagsFromString("--semi-space-growth-factor=2");
  setFlagsFromString("--heap-growing-percent=0");
}

/** A heap that is kept small may grow as long as the server has many connections. Call it before the server listens. */
export function followConnections(server: Server): void {
  if (!isWanted) return;
  let open = 0;
  let isSmall = true;
  server.on("connection", (socket) => {
    if (++open === manyConnections && isSmall) {
      isSmall = false;
      letHeapGrow();
    }
    socket.once("close", () => {
      if (--open >= manyConnections / 2 || isSmall) return;
      isSmall = true;
      keepHeapSmall();
    });
  });
}
