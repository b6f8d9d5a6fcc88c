/** Compressed bodies, gzip and deflate: of requests, and of answers when the client asks for it. */
import { promisify } from "node:util";
import { constants, deflate, gunzip, gzip, inflate } from "node:zlib";
import type { MiddlewareHandler } from "hono";
import { shortened } from "../../base/error-text.ts";
import { Semaphore } from "../../base/semaphore.ts";
import { ProtocolError } from "../errors.ts";
import { readBody } from "./read-body.ts";

const encode = { gzip: promisify(gzip), deflate: promisify(deflate) };
const decode = { gzip: promisify(gunzip), deflate: promisify(inflate) };
export type Coding = keyof typeof encode;

/** Bodies that are decompressed at a time. */
const unpacking = new Semaphore(4);

/** Shorter answers are not compressed, since they would hardly become shorter. */
export const shortestBytes = 1_024;

/** @param maxBodyBytes largest body after decompression */
export function contentCoding(maxBodyBytes: number): MiddlewareHandler {
  return async (context, next) => {
    const coding = context.req.header("content-encoding")?.trim().toLowerCase() ?? "identity";
    if (coding !== "identity" && coding !== "") {
      const packed = await readBody(context);
      // Each may become a thousand times as large, so they wait for each other.
      const body = await unpacking.run(() => decompress(packed, coding, maxBodyBytes));
      // Not as a new Request, which would copy it twice on the event loop.
      let left: ArrayBuffer | undefined = ownBuffer(body);
      context.set("readBody", () => {
        const read = left;
        left = undefined;
        return read === undefined
          ? Promise.reject(new Error("the body was read before"))
          : Promise.resolve(read);
      });
    }
    await next();
    const wanted = wantedCoding(context.req.header("accept-encoding"));
    if (wanted === undefined || context.res.headers.has("content-encoding")) return;
    // Such as one that goes on for long: it would be held back until its end.
    if (context.res.headers.get("cache-control")?.includes("no-transform") === true) return;
    const length = context.res.headers.get("content-length");
    if (length !== null && Number(length) < shortestBytes) return;
    const plain = await context.res.arrayBuffer();
    const headers = new Headers(context.res.headers);
    headers.append("vary", "accept-encoding");
    const { status } = context.res;
    context.res = undefined;
    if (plain.byteLength < shortestBytes) {
      context.res = new Response(plain.byteLength === 0 ? null : plain, { status, headers });
      return;
    }
    headers.delete("content-length");
    headers.set("content-encoding", wanted);
    const body = await packedAs(plain, wanted);
    context.res = new Response(body as Uint8Array<ArrayBuffer>, { status, headers });
  };
}

/** The fastest level, because tensors of floats hardly become smaller at higher ones. */
export function packedAs(body: ArrayBuffer | Uint8Array, coding: Coding): Promise<Buffer> {
  return encode[coding](body, { level: constants.Z_BEST_SPEED });
}

async function decompress(
  body: ArrayBuffer,
  coding: string,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  if (!isCoding(coding))
    throw new ProtocolError(
      `content-encoding is "${shortened(coding)}"; allowed: gzip, deflate, identity`,
      415,
    );
  try {
    return await decode[coding](body, { maxOutputLength: maxBytes });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ERR_BUFFER_TOO_LARGE")
      throw new ProtocolError(`the decompressed body is too large; allowed: at most ${maxBytes} bytes`, 413);
    throw new ProtocolError(`the body is not valid ${coding}: ${message}`);
  }
}

/** The memory of bytes that are alone in it, else a copy. */
function ownBuffer({ buffer, byteOffset, byteLength }: Uint8Array<ArrayBuffer>): ArrayBuffer {
  return byteLength === buffer.byteLength ? buffer : buffer.slice(byteOffset, byteOffset + byteLength);
}

function isCoding(coding: string): coding is Coding {
  return Object.hasOwn(encode, coding);
}

/** The first coding of ours that the client accepts; undefined when it accepts none. */
export function wantedCoding(accepted: string | undefined): Coding | undefined {
  if (accepted === undefined) return undefined;
  const taken = accepted
    .toLowerCase()
    .split(",")
    .map((part) => part.split(";").map((each) => each.trim()))
    .filter((part) => !part.some((parameter) => /^q=0(\.0*)?$/.test(parameter)))
    .map(([coding]) => coding ?? "");
  return taken.find(isCoding);
}
