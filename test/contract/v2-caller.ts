/** Calls a V2 server as the conformance suite wants to: by path, with a body, and the answer's status beside its JSON. */
import { decodeInferResponse } from "../../protocol/decode.ts";
import { encodeInferRequest } from "../../protocol/encode.ts";
import type { InferRequest, InferResponse } from "../../protocol/message.ts";
import { headerLength, toWireBody, wireHeaders } from "../../protocol/v2-http.ts";

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly json: unknown;
}

export type Call = (path: string, body?: unknown, init?: RequestInit) => Promise<Answer>;

/** GET without a body, POST with one; a body that is no text and no bytes is sent as JSON. */
export function caller(url: () => string): Call {
  return async (path, body, init = {}) => {
    const response = await fetch(`${url()}${path}`, {
      ...(body !== undefined && { method: "POST", body: toBody(body) }),
      ...init,
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, json: jsonOf(text) };
  };
}

/** Send a request as binary data and read the answer, whatever its form. */
export async function inferBinary(url: string, model: string, request: InferRequest): Promise<InferResponse> {
  const wire = encodeInferRequest(request, { binary: true });
  const body = wire.body as Uint8Array<ArrayBuffer>;
  const response = await fetch(`${url}/v2/models/${model}/infer`, {
    method: "POST",
    headers: wireHeaders(wire),
    body,
  });
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
  const answer = toWireBody(response.headers.get(headerLength), await response.arrayBuffer());
  return decodeInferResponse(answer.body, answer.headerBytes);
}

function toBody(body: unknown): NonNullable<RequestInit["body"]> {
  if (typeof body === "string" || body instanceof ReadableStream) return body;
  if (body instanceof Uint8Array) return body as Uint8Array<ArrayBuffer>;
  return JSON.stringify(body);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
