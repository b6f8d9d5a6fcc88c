/** What every route of the function host is given, and the checks in front of those of Function Compute's API. */
import { createMiddleware } from "hono/factory";
import { hasAnnouncedBody, verifyAcs3 } from "../acs3.ts";
import { FcRefusal } from "../fc-refusal.ts";
import { readBounded } from "../read-bounded.ts";

export interface HostEnv {
  readonly Variables: {
    /** In Function Compute's form. */
    requestId: string;
    /** Of a signed route: the body as sent. */
    body: Uint8Array;
  };
}

export interface SignedOptions {
  readonly secretFor: (accessKeyId: string) => string | undefined;
  readonly nowUnixMs: () => number;
}

/** Middleware that lets signed requests through, with bodies of up to `maxBytes`. */
export type Signed = (maxBytes: number) => ReturnType<typeof createMiddleware<HostEnv>>;

/** The signature is checked before the body is read, which then has to have the signed hash. */
export function signedRoutes({ secretFor, nowUnixMs }: SignedOptions): Signed {
  return (maxBytes) =>
    createMiddleware<HostEnv>(async (context, next) => {
      const { pathname, searchParams } = new URL(context.req.url);
      const headers = context.req.header();
      const verdict = verifyAcs3({
        method: context.req.method,
        path: pathname,
        query: searchParams,
        headers,
        nowMs: nowUnixMs(),
        secretFor,
      });
      if (!verdict.ok) throw new FcRefusal(verdict.code, verdict.message);
      const body = await readBounded(context.req.raw, maxBytes);
      if (body === undefined) throw new FcRefusal("EntityTooLarge", `a body may have ${maxBytes} bytes here`);
      if (!hasAnnouncedBody(headers, body)) {
        throw new FcRefusal("SignatureNotMatch", "x-acs-content-sha256 is not the hash of the body");
      }
      context.set("body", body);
      return next();
    });
}
