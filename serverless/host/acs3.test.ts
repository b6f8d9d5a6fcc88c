import { createRequire } from "node:module";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import type FunctionCompute from "@alicloud/fc20230330";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { acs3Authorization, contentSha256, signedHeaderNames } from "../../base/acs3.ts";
import { FcRefusal } from "./fc-refusal.ts";
import { acs3MaxSkewMs, hasAnnouncedBody, Nonces, verifyAcs3, type Acs3Request } from "./acs3.ts";

// By require, since what a CommonJS default import gives differs between Node and vitest.
const sdk = createRequire(import.meta.url)("@alicloud/fc20230330") as typeof FunctionCompute;
const secretFor = (id: string): string | undefined => (id === "key" ? "secret" : undefined);

/** A request with its body. */
type Sent = Acs3Request & { readonly body: Uint8Array };

function verdictOn(request: Sent): string {
  try {
    const accessKeyId = verifyAcs3(request);
    return hasAnnouncedBody(request.headers, request.body) ? accessKeyId : "another body";
  } catch (error) {
    if (error instanceof FcRefusal) return error.code;
    throw error;
  }
}

/** What the vendor's client really sends, caught by a plain server. */
const sent: Sent[] = [];
const server = createServer((incoming, outgoing) => {
  void caught(incoming).then((request) => {
    sent.push(request);
    outgoing.end();
  });
});

async function caught(incoming: IncomingMessage): Promise<Sent> {
  const url = new URL(incoming.url ?? "", "http://host");
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(incoming.headers)) headers[name] = String(value);
  return {
    method: incoming.method ?? "",
    path: url.pathname,
    query: [...url.searchParams],
    headers,
    body: await buffer(incoming),
    nowUnixMs: Date.now(),
    secretFor,
  };
}

async function catchCall(name: string, body: Buffer | undefined, qualifier?: string): Promise<Sent> {
  type Config = ConstructorParameters<typeof sdk.default>[0];
  const endpoint = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const config = { accessKeyId: "key", accessKeySecret: "secret", endpoint, protocol: "http" };
  const request = new sdk.InvokeFunctionRequest({
    ...(body === undefined ? {} : { body: Readable.from([body]) }),
    ...(qualifier === undefined ? {} : { qualifier }),
  });
  await new sdk.default(config as Config).invokeFunction(name, request);
  return sent.pop() ?? expect.fail("nothing was sent");
}

beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

describe("verifyAcs3 on requests of the vendor's client", () => {
  it.each([
    ["echo", Buffer.from("hello"), undefined],
    ["a name+with*signs~$!()é/%", Buffer.from([0, 255, 128, 10]), "LATEST"],
    ["empty", Buffer.alloc(0), undefined],
    ["no-body", undefined, "a qualifier/with *+~ 'signs'"],
  ])("accepts a call of %s", async (name, body, qualifier) => {
    expect(verdictOn(await catchCall(name, body, qualifier))).toBe("key");
  });

  it("refuses a wrong secret, an unknown key, and anything signed that was changed on the way", async () => {
    const call = await catchCall("echo", Buffer.from("hello"), "LATEST");
    const code = (change: Partial<Sent>): string => verdictOn({ ...call, ...change });
    const header = (name: string, value: string): string =>
      code({ headers: { ...call.headers, [name]: value } });
    expect(code({})).toBe("key");
    expect(code({ secretFor: () => "another" })).toBe("SignatureNotMatch");
    expect(code({ secretFor: () => undefined })).toBe("InvalidAccessKeyID");
    expect(code({ body: Buffer.from("hellp") })).toBe("another body");
    expect(code({ method: "PUT" })).toBe("SignatureNotMatch");
    expect(code({ path: `${call.path}/x` })).toBe("SignatureNotMatch");
    expect(code({ query: [] })).toBe("SignatureNotMatch");
    expect(header("host", "elsewhere")).toBe("SignatureNotMatch");
    expect(header("x-acs-content-sha256", contentSha256(Buffer.from("hellp")))).toBe("SignatureNotMatch");
    expect(header("x-acs-security-token", "added and not signed")).toBe("SignatureNotMatch");
    expect(header("authorization", "Bearer key")).toBe("SignatureNotMatch");
    expect(header("authorization", "")).toBe("MissingRequiredHeader");
    expect(header("x-acs-date", "")).toBe("MissingRequiredHeader");
    expect(header("x-fc-log-type", "Tail")).toBe("key");
  });

  it("refuses a date further from the clock than the allowed skew, in both directions", async () => {
    const call = await catchCall("echo", Buffer.from("hello"));
    const sentAtMs = Date.parse(call.headers["x-acs-date"] ?? "");
    for (const [offsetMs, verdict] of [
      [-acs3MaxSkewMs - 1, "SignatureNotMatch"],
      [-acs3MaxSkewMs, "key"],
      [acs3MaxSkewMs, "key"],
      [acs3MaxSkewMs + 1, "SignatureNotMatch"],
    ] as const) {
      expect(verdictOn({ ...call, nowUnixMs: sentAtMs + offsetMs })).toBe(verdict);
    }
  });
});

describe("the signature", () => {
  const date = "2026-11-21T01:59:47Z";

  it("is right for what was signed, and for no other body", () => {
    fc.assert(
      fc.property(
        fc.webPath(),
        fc.dictionary(fc.string(), fc.string()),
        fc.uint8Array({ minLength: 1 }),
        fc.nat(),
        (path, query, body, place) => {
          const hash = contentSha256(body);
          const headers = { host: "h", "x-acs-date": date, "x-acs-content-sha256": hash };
          const parts = { method: "POST", path, query: Object.entries(query), headers };
          const signedHeaders = signedHeaderNames(headers);
          const signed = { ...parts, signedHeaders, contentSha256: hash };
          const authorization = acs3Authorization("key", "secret", signed);
          const request = {
            ...parts,
            headers: { ...headers, authorization },
            nowUnixMs: Date.parse(date),
            secretFor,
          };
          const changed = Uint8Array.from(body);
          changed[place % body.length]! ^= 1;
          expect(verdictOn({ ...request, body })).toBe("key");
          expect(verdictOn({ ...request, body: changed })).toBe("another body");
        },
      ),
    );
  });
});

describe("nonces", () => {
  it("takes a nonce once within the time that it keeps it, and again after", () => {
    const nonces = new Nonces({ keepMs: 100, maxCount: 10 });
    expect([nonces.isNew("a", 0), nonces.isNew("a", 100), nonces.isNew("b", 100)]).toEqual([
      true,
      false,
      true,
    ]);
    expect([nonces.isNew("a", 101), nonces.isNew("b", 101)]).toEqual([true, false]);
  });

  it("keeps no more than it may, and forgets the oldest first", () => {
    const nonces = new Nonces({ keepMs: 1e6, maxCount: 2 });
    for (const nonce of ["a", "b", "c"]) expect(nonces.isNew(nonce, 0)).toBe(true);
    expect([nonces.isNew("c", 1), nonces.isNew("a", 1)]).toEqual([false, true]);
  });

  it("refuses a nonce that is too long to be kept", () => {
    expect(new Nonces({ keepMs: 1, maxCount: 2 }).isNew("x".repeat(129), 0)).toBe(false);
  });
});
