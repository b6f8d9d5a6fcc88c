/** Answers calls over NATS as if they had come over HTTP, from another machine. */
import type { Hono } from "hono";
import type { CallBindings } from "../access/request-head.ts";
import type { CallMessage } from "./call-message.ts";

/**
 * @param app that answers paths of V2; others are not reached this way
 * @param methods those that are. Default: GET and POST
 */
export async function answerCall(
  app: Pick<Hono, "fetch">,
  { line, fields, body }: CallMessage,
  signal: AbortSignal,
  methods: readonly string[] = ["GET", "POST"],
): Promise<CallMessage> {
  const [method = "", path = ""] = line.split(" ");
  if (!/^\/v2(?:\/|$)/.test(path) || !methods.includes(method))
    return textAnswer(404, `no ${method} ${path.slice(0, 100)} over NATS; allowed: paths of V2`);
  const request = new Request(`http://nats${path}`, {
    method,
    headers: fields,
    signal,
    ...(method === "POST" && { body }),
  });
  const peer: CallBindings & { readonly body?: ArrayBuffer } = {
    peer: "nats",
    ...(method === "POST" && { body: body.buffer }),
  };
  const response = await app.fetch(request, peer);
  return {
    line: String(response.status),
    fields: Object.fromEntries(response.headers),
    body: new Uint8Array(await response.arrayBuffer()),
  };
}

function textAnswer(status: number, error: string): CallMessage {
  const body = new TextEncoder().encode(JSON.stringify({ error }));
  return { line: String(status), fields: { "content-type": "application/json" }, body };
}
