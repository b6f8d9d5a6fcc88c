/** The HTTP side of an instance: its function's endpoints, asked with the platform's headers. */
import { Pool } from "undici";
import type { Call, TriggerRequest } from "../calls/call.ts";
import { exchange, type Exchange } from "../calls/exchange.ts";
import { instanceHeaders, type FunctionConfig } from "../fc-contract.ts";

/** What an event is to a function's server. */
const event: TriggerRequest = {
  method: "POST",
  path: "/invoke",
  headers: { "content-type": "application/octet-stream" },
};

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
  invoke({ requestId, body, trigger, retries = 0 }: Call): Promise<Exchange> {
    const { method, path, headers } = trigger ?? event;
    const own = instanceHeaders(this.#config, trigger === undefined ? "/invoke" : "/http-invoke", requestId);
    return exchange(this.#pool, {
      method,
      path,
      headers: { ...headers, ...own, "x-fc-retry-count": String(retries) },
      // A request that a trigger passes on may have none.
      ...((trigger === undefined || body.length > 0) && { body }),
      timeoutMs: this.#config.timeoutMs,
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
    path: "/initialize" | "/pre-stop",
    requestId: string,
    timeoutMs: number,
  ): Promise<Exchange> {
    const headers = instanceHeaders(this.#config, path, requestId);
    return exchange(this.#pool, { method, path, headers, timeoutMs, maxReplyBytes: this.#maxReplyBytes });
  }
}
