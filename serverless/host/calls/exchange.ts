/** One bounded HTTP request to an instance: its reply, its time running out, or its failure, as a value. */
import type { Dispatcher } from "undici";

/** What the function answered. */
export interface Reply {
  readonly status: number;
  /** Names in lower case; repeated headers joined by a comma. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array<ArrayBuffer>;
}

export type Exchange =
  | { readonly end: "replied"; readonly reply: Reply }
  | { readonly end: "timeout" }
  | { readonly end: "failed"; readonly error: Error };

/** A request to an instance, and what bounds it. The time starts when the request is handed to the connection. */
export interface ExchangeRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly timeoutMs: number;
  readonly maxReplyBytes: number;
}

/** Send a request and read its whole reply. Never rejects. */
export async function exchange(server: Dispatcher, request: ExchangeRequest): Promise<Exchange> {
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), request.timeoutMs);
  try {
    const response = await server.request({
      method: request.method,
      path: request.path,
      headers: request.headers,
      body: request.body ?? null,
      signal: timeout.signal,
    });
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > request.maxReplyBytes)
        throw new Error(`the reply has more than ${request.maxReplyBytes} bytes`);
      chunks.push(chunk);
    }
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(response.headers)) {
      if (value !== undefined) headers[name.toLowerCase()] = Array.isArray(value) ? value.join(", ") : value;
    }
    return { end: "replied", reply: { status: response.statusCode, headers, body: Buffer.concat(chunks) } };
  } catch (error) {
    if (timeout.signal.aborted) return { end: "timeout" };
    return { end: "failed", error: error instanceof Error ? error : new Error(String(error)) };
  } finally {
    clearTimeout(timer);
  }
}
