/** What every route of the function host is given, and the checks in front of those that take signed requests. */
import { createMiddleware } from "hono/factory";
import type { Context } from "hono";
import { fromThisMachine } from "../../../base/program/admin-guard.ts";
import { ACS3_MAX_SKEW_MS, hasAnnouncedBody, verifyAcs3, type Acs3Payload } from "../acs3.ts";
import { FcRefusal } from "../fc-refusal.ts";
import { Nonces } from "../nonces.ts";
import { readBounded, type BodyRoom } from "../read-bounded.ts";
import { checkHead } from "./check-head.ts";

export interface HostEnv {
  readonly Variables: {
    /** In Function Compute's form. */
    requestId: string;
    /** As sent. The room that it takes is free again when the request was answered. */
    body: Uint8Array;
  };
}

export interface GateOptions {
  readonly secretFor: (accessKeyId: string) => string | undefined;
  readonly nowUnixMs: () => number;
  readonly room: BodyRoom;
}

type Middleware = ReturnType<typeof createMiddleware<HostEnv>>;

/** The most that a request's body may have, which may depend on its headers. */
type MaxBytes = number | ((context: Context<HostEnv>) => number);

const mostNonces = 100_000;

/**
 * The checks that a request passes before a route sees it: the size of its head, its signature, and only then its
 * body, which is read within bounds.
 */
export class Gate {
  readonly #options: GateOptions;
  readonly #nonces = new Nonces({ keepMs: 2 * ACS3_MAX_SKEW_MS, most: mostNonces });

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /** For Function Compute's own API. */
  signed(maxBytes: MaxBytes): Middleware {
    return createMiddleware<HostEnv>(async (context, next) => {
      checkHead(context.req.raw);
      this.verify(context, "announced");
      this.#checkNonce(context.req.header("x-acs-signature-nonce"));
      return this.#withBody(context, maxBytes, async () => {
        if (!hasAnnouncedBody(context.req.header(), context.var.body)) {
          throw new FcRefusal("SignatureNotMatch", "x-acs-content-sha256 is not the hash of the body");
        }
        return next();
      });
    });
  }

  /**
   * For what puts code on this machine: from this machine only. The local host's access key is no secret, so a signature
   * by it says nothing about who asks.
   */
  deploys(maxBytes: MaxBytes): Middleware {
    const signed = this.signed(maxBytes);
    return createMiddleware<HostEnv>(async (context, next) => {
      if (!fromThisMachine(context)) {
        throw new FcRefusal("AccessDenied", "only programs on this machine may change functions");
      }
      return signed(context, next);
    });
  }

  /** For routes that see to signatures themselves. @param check is called before the body is read */
  checked(maxBytes: MaxBytes, check: (context: Context<HostEnv>) => void): Middleware {
    return createMiddleware<HostEnv>(async (context, next) => {
      checkHead(context.req.raw);
      check(context);
      return this.#withBody(context, maxBytes, next);
    });
  }

  /** @throws FcRefusal when the head is not signed as it must be */
  verify(context: Context<HostEnv>, payload: Acs3Payload): void {
    const { pathname, searchParams } = new URL(context.req.url);
    const { secretFor, nowUnixMs } = this.#options;
    const verdict = verifyAcs3({
      method: context.req.method,
      path: pathname,
      query: searchParams,
      headers: context.req.header(),
      payload,
      nowMs: nowUnixMs(),
      secretFor,
    });
    if (!verdict.ok) throw new FcRefusal(verdict.code, verdict.message);
  }

  #checkNonce(nonce: string | undefined): void {
    if (nonce === undefined || nonce === "") {
      throw new FcRefusal("MissingRequiredHeader", "the header x-acs-signature-nonce is missing");
    }
    if (this.#nonces.isNew(nonce, this.#options.nowUnixMs())) return;
    throw new FcRefusal(
      "SignatureNonceUsed",
      "x-acs-signature-nonce was used before; each request needs its own",
    );
  }

  async #withBody(context: Context<HostEnv>, maxBytes: MaxBytes, next: () => Promise<void>): Promise<void> {
    const most = typeof maxBytes === "number" ? maxBytes : maxBytes(context);
    const body = await readBounded(context.req.raw, most, this.#options.room);
    try {
      context.set("body", body.bytes);
      await next();
    } finally {
      body.free();
    }
  }
}
