/** The checks that requests to the function host pass before a route sees them, and what routes are given. */
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import { headOf, isFromThisMachine } from "../../../base/access/request-head.ts";
import { acs3MaxSkewMs, hasAnnouncedBody, Nonces, verifyAcs3, type Acs3Payload } from "../acs3.ts";
import type { BodyRoom } from "../body-room.ts";
import type { FunctionStore } from "../deployed/function-store.ts";
import { FcRefusal } from "../fc-refusal.ts";
import type { InjectedFaults } from "../injected-faults.ts";
import type { InstancePool } from "../instances/instance-pool.ts";
import type { Meter } from "../meter.ts";

export interface HostEnv {
  readonly Variables: {
    /** In Function Compute's form. */
    requestId: string;
    /** Read by the gate; its room is freed when the request is answered. */
    body: Uint8Array;
  };
}

/** The parts of a host that its routes use. */
export interface HostParts {
  readonly store: FunctionStore;
  readonly pool: InstancePool;
  readonly gate: Gate;
  readonly meter: Meter;
  readonly faults: InjectedFaults;
  readonly nowUnixMs: () => number;
}

export interface GateOptions {
  readonly secretFor: (accessKeyId: string) => string | undefined;
  /** Keys whose secret everybody knows. */
  readonly publicKeys: ReadonlySet<string>;
  readonly nowUnixMs: () => number;
  readonly room: BodyRoom;
}

type Check = (context: Context<HostEnv>) => void;
type Middleware = ReturnType<typeof createMiddleware<HostEnv>>;

const maxNonces = 100_000;
/** Function Compute's limits of a request's head. */
const maxHeaderBytes = 8 * 2 ** 10;
const maxUrlBytes = 4 * 2 ** 10;

/** Checks the size of the head, then the signature, and only then reads the body, within bounds. */
export class Gate {
  readonly #options: GateOptions;
  readonly #nonces = new Nonces({ keepMs: 2 * acs3MaxSkewMs, maxCount: maxNonces });

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /** For Function Compute's own API: takes signed requests only. */
  signed(maxBytes: number, checkKey: (accessKeyId: string) => void = () => {}): Middleware {
    const checkSigned = (context: Context<HostEnv>): void => {
      checkKey(this.verify(context, "announced"));
      this.#checkNonce(context.req.header("x-acs-signature-nonce"));
    };
    return this.checked(maxBytes, checkSigned, ({ req, var: { body } }) => {
      if (hasAnnouncedBody(req.header(), body)) return;
      throw new FcRefusal("SignatureNotMatch", "x-acs-content-sha256 is not the hash of the body");
    });
  }

  /** Takes requests of this machine only, signed with a key whose secret not everybody knows: code comes with them. */
  deploys(maxBytes: number): Middleware {
    const signed = this.signed(maxBytes, (accessKeyId) => {
      if (!this.#options.publicKeys.has(accessKeyId)) return;
      const message = `everybody knows the secret of the access key ${accessKeyId}; functions are changed with the key admin, whose secret is the admin token`;
      throw new FcRefusal("AccessDenied", message);
    });
    return createMiddleware<HostEnv>(async (context, next) => {
      if (!isFromThisMachine(headOf(context))) {
        throw new FcRefusal("AccessDenied", "only programs on this machine may change functions");
      }
      return signed(context, next);
    });
  }

  /** For routes that check who asks themselves: the head before the body is read, and the body after. */
  checked(maxBytes: number, checkHead: Check = () => {}, checkBody: Check = () => {}): Middleware {
    return createMiddleware<HostEnv>(async (context, next) => {
      checkHeadSize(context.req.raw);
      checkHead(context);
      await this.#options.room.hold(context.req.raw, maxBytes, async (body) => {
        context.set("body", body);
        checkBody(context);
        await next();
      });
    });
  }

  /**
   * The id of the access key that signed a request.
   *
   * @throws FcRefusal when the head is not signed as it must be
   */
  verify(context: Context<HostEnv>, payload: Acs3Payload): string {
    const { pathname, searchParams } = new URL(context.req.url);
    const { secretFor, nowUnixMs } = this.#options;
    return verifyAcs3({
      method: context.req.method,
      path: pathname,
      query: searchParams,
      headers: context.req.header(),
      payload,
      nowUnixMs: nowUnixMs(),
      secretFor,
    });
  }

  #checkNonce(nonce: string | undefined): void {
    if (nonce === undefined || nonce === "") {
      throw new FcRefusal("MissingRequiredHeader", "the header x-acs-signature-nonce is missing");
    }
    if (this.#nonces.isNew(nonce, this.#options.nowUnixMs())) return;
    const message = "x-acs-signature-nonce was used before; each request needs its own";
    throw new FcRefusal("SignatureNonceUsed", message);
  }
}

/** An answer of the API: JSON, or nothing when `body` is null. */
export function apiAnswer(context: Context<HostEnv>, body: object | null): Response {
  const headers = { "x-fc-request-id": context.var.requestId };
  return body === null ? context.body(null, 204, headers) : context.json(body, 200, headers);
}

/** @throws FcRefusal InvalidArgument when path and query, or the headers, are too large */
function checkHeadSize(request: Request): void {
  const { pathname, search } = new URL(request.url);
  const urlBytes = pathname.length + search.length;
  if (urlBytes > maxUrlBytes) {
    throw new FcRefusal("InvalidArgument", `path and query have ${urlBytes} bytes; allowed: ${maxUrlBytes}`);
  }
  let headerBytes = 0;
  // Each header is a line: name, colon, blank, value, and two bytes for the line's end.
  for (const [name, value] of request.headers) headerBytes += name.length + value.length + 4;
  if (headerBytes > maxHeaderBytes) {
    const message = `the headers have ${headerBytes} bytes; allowed: ${maxHeaderBytes}`;
    throw new FcRefusal("InvalidArgument", message);
  }
}
