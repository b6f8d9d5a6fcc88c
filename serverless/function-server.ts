/** The HTTP side of an instance: its function's endpoints, asked with the platform's headers. */
import { Pool } from "undici";
import type { Call } from "./call.ts";
import { exchange, type Exchange } from "./exchange.ts";
import { instanceHeaders, type FunctionConfig } from "./fc-contract.ts";

export class FunctionServer {
  readonly #config: FunctionConfig;
  readonly #maxReplyBytes: number;
  /** A connection for each call that runs. */
  readonly #pool: Pool;

  constructor(config: FunctionConfig, port: number, maxReplyBytes: number) {
    this.#config = config;
    this.#maxReplyBytes = maxReplyBytes;
    // The time limits of the exchanges bound every request; a reply's headers may have 8 KB, as on the cloud.
    this.#pool = new Pool(`http://127.0.0.1:${port}`, {
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: 8192,
    });
  }

  /** Never rejects, as the others here. */
  invoke({ requestId, body, trigger }: Call): Promise<Exchange> {
    const { timeoutMs } = this.#config;
    if (trigger === undefined) return this.#send("POST", "/invoke", requestId, timeoutMs, body);
    return exchange(this.#pool, {
      method: trigger.method,
      path: trigger.path,
      headers: { ...trigger.headers, ...instanceHeaders(this.#config, "/http-invoke", requestId) },
      ...(body.length > 0 && { body }),
      timeoutMs,
      maxReplyBytes: this.#maxReplyBytes,
    });
  }

  initialize(requestId: string, timeoutMs: number): Promise<Exchange> {
    return this.#send("POST", "/initialize", requestId, timeoutMs);
  }

  preStop(requestId: string, timeoutMs: number): Promise<Exchange> {
    return this.#send("GET", "/pre-stop", requestId, timeoutMs);
  }

  close(): Promise<void> {
    return this.#pool.destroy();
  }

  #send(
    method: "GET" | "POST",
    path: "/invoke" | "/initialize" | "/pre-stop",
    requestId: string,
    timeoutMs: number,
    body?: Uint8Array,
  ): Promise<Exchange> {
    const headers = instanceHeaders(this.#config, path, requestId);
    const maxReplyBytes = this.#maxReplyBytes;
    if (body === undefined) return exchange(this.#pool, { method, path, headers, timeoutMs, maxReplyBytes });
    headers["content-type"] = "application/octet-stream";
    return exchange(this.#pool, { method, path, headers, body, timeoutMs, maxReplyBytes });
  }
}
