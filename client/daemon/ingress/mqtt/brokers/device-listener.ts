/** The socket of the embedded broker: listens for devices, and bounds how many there are and what they send at once. */
import { createServer, type Server, type Socket } from "node:net";
import { Duplex } from "node:stream";
import type { Logger } from "pino";
import { UsageError } from "../../../../../base/usage-error.ts";
import { PacketLimit, PacketTooLong } from "./packet-limit.ts";

export interface DeviceListenerOptions {
  /** Name of the broker, for its log. */
  readonly name: string;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Speaks with a device. */
  readonly handle: (stream: Duplex) => void;
  readonly log: Pick<Logger, "warn">;
}

/** Devices at once; more are turned away. */
const mostConnections = 1_024;
/** Largest packet of a device, in bytes. */
const mostPacketBytes = 2 ** 26;
const keepAliveMs = 30_000;

export class DeviceListener {
  readonly #options: DeviceListenerOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(options: DeviceListenerOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = mostConnections;
  }

  /** Rejects with a UsageError when it cannot listen on its address. */
  async listen(): Promise<void> {
    const { name, host, port } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", ({ code, message }: NodeJS.ErrnoException) => {
        const why =
          code === "EADDRINUSE"
            ? `port ${port} of ${host} is in use; another broker may run there`
            : `cannot listen on ${host}:${port} (${code ?? message})`;
        reject(new UsageError(`broker ${name}: ${why}`));
      });
      this.#server.listen(port, host, resolve);
    });
  }

  get url(): string {
    const { host, port } = this.#options;
    const address = this.#server.address();
    const bound = typeof address === "object" && address !== null ? address.port : port;
    return `mqtt://${host.includes(":") ? `[${host}]` : host}:${bound}`;
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #accept(socket: Socket): void {
    const { name, handle, log } = this.#options;
    this.#sockets.add(socket);
    socket.setKeepAlive(true, keepAliveMs);
    socket.setNoDelay(true);
    const limit = new PacketLimit(mostPacketBytes);
    socket.pipe(limit);
    const stream = Duplex.from({ readable: limit, writable: socket });
    limit.once("error", (error) => {
      // A device that leaves ends the stream with an error as well.
      if (error instanceof PacketTooLong)
        log.warn({ broker: name, why: error.message }, "a device is turned away");
      socket.destroy();
    });
    socket.once("error", () => stream.destroy());
    socket.once("close", () => {
      this.#sockets.delete(socket);
      limit.destroy();
      stream.destroy();
    });
    handle(stream);
  }
}
