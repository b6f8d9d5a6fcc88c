/** Passes bytes on to a port of this machine, until it is told to cut all connections, or to take none for a while. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface CutProxy {
  readonly port: number;
  /** Ends all connections, as a network does that fails: without a word. */
  cut(): void;
  /** While true nobody is let in. */
  isClosed: boolean;
  stop(): Promise<void>;
}

/** @param delayMs how long each byte is on its way */
export async function startCutProxy(to: number, delayMs = 0): Promise<CutProxy> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    if (proxy.isClosed) return near.destroy();
    const far = connect(to, "127.0.0.1");
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      if (delayMs === 0) socket.pipe(other);
      else socket.on("data", (bytes) => setTimeout(() => other.write(bytes), delayMs));
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    return undefined;
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const proxy: CutProxy = {
    port: (server.address() as AddressInfo).port,
    isClosed: false,
    cut,
    stop: async () => {
      cut();
      await once(server.close(), "close");
    },
  };
  return proxy;
}
