/** Answers on a socket in as few writes as can be, without copying what is large. */
import { Buffer } from "node:buffer";
import type { ServerResponse } from "node:http";
import type { WatchAnswer } from "../../base/program/unsent-answers.ts";

/** A body up to this goes out in one write with its head, in bytes: copying it costs less than a second write. */
const mostInOne = 2 ** 14;

/**
 * Ends an answer with a body of several pieces, whose memory must stay as it is until it is sent.
 *
 * @param headers names and values in turn, without `content-length`
 */
export function sendParts(
  response: ServerResponse,
  status: number,
  headers: string[],
  parts: readonly Uint8Array[],
  watch: WatchAnswer,
): void {
  // Of one that waits behind another on its connection, the connection alone tells that it is gone.
  if (response.destroyed || response.writableEnded || response.req.socket.destroyed) return;
  let bytes = 0;
  for (const { length } of parts) bytes += length;
  headers.push("content-length", String(bytes));
  response.writeHead(status, headers);
  if (bytes <= mostInOne) {
    let text = "";
    // A string of Latin-1 is written together with the head, bytes are not.
    for (const part of parts) text += latin1Of(part);
    response.end(text, "latin1");
  } else {
    response.cork();
    for (const part of parts) if (part.length > 0) response.write(isOfMuchMore(part) ? part.slice() : part);
    response.end();
    response.uncork();
  }
  if (response.writableLength > 0 || (response.socket?.writableLength ?? 0) > 0) watch(response);
}

/** Whether a piece holds memory that is many times its own, such as that of a whole batch, until its caller has read it. */
function isOfMuchMore({ length, buffer }: Uint8Array): boolean {
  return buffer.byteLength > 4 * length;
}

function latin1Of(part: Uint8Array): string {
  const bytes = Buffer.isBuffer(part) ? part : Buffer.from(part.buffer, part.byteOffset, part.length);
  return bytes.toString("latin1");
}
