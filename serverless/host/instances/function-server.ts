/** The HTTP side of an instance: sends calls and lifecycle hooks to the function's server, with the platform's headers. */
import { Pool } from "undici";
import { instanceHeaders, type FunctionConfig } from "../fc-contract.ts";
import type { CallFault } from "../injected-faults.ts";

/** A request that an HTTP trigger passes through unchanged. */
export interface TriggerRequest {
  readonly method: string;
  /** Path and query as the function sees them. */
  readonly path: string;
  /** Names in lower case, without headers of the platform or of the caller's connection. */
  readonly headers: Readonly<Record<string, string>>;
}

/** A call of a function, whichever way it came in. */
export interface InstanceCall {
  readonly requestId: string;
  readonly body: Uint8Array;
  /** Whether the caller asked for the end of the function's output. */
  readonly wantsLog: boolean;
  /** Undefined for an event: POST /invoke. */
  readonly trigger?: TriggerRequest | undefined;
  readonly fault?: CallFault | undefined;
}

/** What the function answered. */
export interface FunctionReply {
  readonly status: number;
  /** Names in lower case; repeated headers joined by a comma. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** How a request to the function ended. */
export type ServerRequestEnd =
  | { readonly end: "replied"; readonly reply: FunctionReply }
  | { readonly end: "timeout" }
  | { readonly end: "failed"; readonly error: Error };

interface ServerRequest extends TriggerRequest {
  readonly body?: Uint8Array;
  /** Starts when the request is handed to the connection. */
  readonly timeoutMs: number;
}

const eventRequest: TriggerRequest = {
  method: "POST",
  path: "/invoke",
  headers: { "content-type": "application/octet-stream" },
};

export class FunctionServer {
  readonly #config: FunctionConfig;
  readonly #maxReplyBytes: number;
  /** One connection for each running call. */
  readonly #pool: Pool;

  constructor(config: FunctionConfig, port: number, maxReplyBytes: number) {
    this.#config = config;
    this.#maxReplyBytes = maxReplyBytes;
    // Each request has a timeout of its own. A reply may have 8 KB of headers, as on the platform.
    this.#pool = new Pool(`http://127.0.0.1:${port}`, {
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: 8192,
    });
  }

  /** Send a call. Never rejects. */
  invoke({ requestId, body, trigger }: InstanceCall): Promise<ServerRequestEnd> {
    const { method, path, headers } = trigger ?? eventRequest;
    const own = instanceHeaders(this.#config, trigger === undefined ? "/invoke" : "/http-invoke", requestId);
    return this.#send({
      method,
      path,
      headers: { ...headers, ...own },
      // A GET through a trigger must have no body at all.
      ...((trigger === undefined || body.length > 0) && { body }),
      timeoutMs: this.#config.timeoutMs,
    });
  }

  /** Send a lifecycle hook. Never rejects. */
  runHook(
    path: "/initialize" | "/pre-stop",
    requestId: string,
    timeoutMs: number,
  ): Promise<ServerRequestEnd> {
    const headers = instanceHeaders(this.#config, path, requestId);
    return this.#send({ method: path === "/initialize" ? "POST" : "GET", path, headers, timeoutMs });
  }

  close(): Promise<void> {
    return this.#pool.destroy();
  }

  /** Send a request and read its whole reply. */
  async #send({ method, path, headers, body, timeoutMs }: ServerRequest): Promise<ServerRequestEnd> {
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), timeoutMs);
    try {
      const { signal } = timeout;
      const response = await this.#pool.request({ method, path, headers, body: body ?? null, signal });
      const chunks: Buffer[] = [];
      let bytes = 0;
      for await (const chunk of response.body as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        if (bytes > this.#maxReplyBytes) {
          throw new Error(`the reply has more than ${this.#maxReplyBytes} bytes`);
        }
        chunks.push(chunk);
      }
      const replyHeaders: Record<string, string> = {};
      for (const [name, value] of Object.entries(response.headers)) {
        if (value !== undefined) replyHeaders[name.toLowerCase()] = [value].flat().join(", ");
      }
      const reply = { status: response.statusCode, headers: replyHeaders, body: Buffer.concat(chunks) };
      return { end: "replied", reply };
    } catch (error) {
      if (timeout.signal.aborted) return { end: "timeout" };
      return { end: "failed", error: error instanceof Error ? error : new Error(String(error)) };
    } finally {
      clearTimeout(timer);
    }
  }
}
