/** Ports of the loopback interface: reserve a free one for a child, and see whether the child listens there yet. */
import { connect, createServer } from "node:net";

/**
 * A port of 127.0.0.1 that nobody listens on; it is added to `taken`, whose ports are never given. Another
 * program can still grab it before the child does; the child then fails to start, which its owner sees.
 */
export async function reservePort(taken: Set<number>): Promise<number> {
  for (let attempt = 0; attempt < 32; attempt += 1) {
    const port = await probe();
    if (taken.has(port)) continue;
    taken.add(port);
    return port;
  }
  throw new Error("no free port of 127.0.0.1 found in 32 attempts");
}

function probe(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => {
        if (address === null || typeof address === "string") reject(new Error("a TCP server has no port"));
        else resolve(address.port);
      });
    });
  });
}

/** Whether a server accepts connections on a port of 127.0.0.1 now. */
export function portAnswers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const end = (answers: boolean): void => {
      socket.destroy();
      resolve(answers);
    };
    // While nobody listens, the kernel may give the socket this very port as its own and connect it to itself.
    socket.once("connect", () => end(socket.localPort !== port));
    socket.once("error", () => end(false));
  });
}
