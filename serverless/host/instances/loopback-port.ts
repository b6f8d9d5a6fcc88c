/** Ports of 127.0.0.1: reserve a free one for a child, and check whether a server listens on it. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";

/** A free port, added to `taken`. If another program takes it before the child listens, the child fails to start. */
export async function reservePort(taken: Set<number>): Promise<number> {
  for (let attempt = 0; attempt < 32; attempt += 1) {
    const port = await freePort();
    if (taken.has(port)) continue;
    taken.add(port);
    return port;
  }
  throw new Error("no free port of 127.0.0.1 found in 32 attempts");
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await once(server.close(), "close");
  return port;
}

/** Whether a server accepts connections on a port now. */
export function portAnswers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const end = (answers: boolean): void => {
      socket.destroy();
      resolve(answers);
    };
    // While nobody listens, the kernel may pick this very port as the socket's own and connect it to itself.
    socket.once("connect", () => end(socket.localPort !== port));
    socket.once("error", () => end(false));
  });
}
