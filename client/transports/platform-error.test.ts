/** Every refusal that Function Compute documents, from a scripted server: by the official SDK and by plain HTTP. */
import { describe, expect, it } from "vitest";
import { call, fcTarget, httpTarget, scripted, send } from "../../test/support/wired-targets.ts";
import type { ErrorCode } from "../../base/errors.ts";
import { loadFcSdk } from "./fc-sdk.ts";

/** What the SDK throws by itself, before it is anything of ours. */
async function sdkError(url: string, limitMs = 5_000): Promise<Error & { code?: string }> {
  const endpoint = url.replace("http://", "");
  const invoke = loadFcSdk({
    functionName: "f",
    endpoint,
    protocol: "http",
    accessKeyId: "ak",
    accessKeySecret: "sk",
  });
  return invoke(Buffer.from("payload"), limitMs).then(
    () => expect.fail("the SDK did not throw"),
    (error: Error) => error,
  );
}

/** Of what the platform says that it does not charge; a call that was refused otherwise has no known cost. */
const uncharged = new Set([
  "Throttling.User",
  "AccessDenied",
  "SignatureNotMatch",
  "InvalidAccessKeyID",
  "FunctionNotFound",
  "VersionNotFound",
  "AliasNotFound",
  "ResourceExhausted",
  "ResourceThrottled",
  "InternalServerError",
]);

const rows: [status: number, code: string, sdkClass: string, ours: ErrorCode][] = [
  [400, "InvalidArgument", "ClientError", "request_rejected"],
  [400, "MissingRequiredHeader", "ClientError", "request_rejected"],
  [400, "PathNotSupported", "ClientError", "request_rejected"],
  [400, "EntityTooLarge", "ClientError", "request_too_large"],
  [400, "Throttling.User", "ThrottlingError", "target_throttled"],
  [403, "AccessDenied", "ClientError", "target_denied"],
  [403, "SignatureNotMatch", "ClientError", "target_denied"],
  [403, "InvalidAccessKeyID", "ClientError", "target_denied"],
  [404, "FunctionNotFound", "ClientError", "target_denied"],
  [404, "VersionNotFound", "ClientError", "target_denied"],
  [404, "AliasNotFound", "ClientError", "target_denied"],
  [412, "CAExited", "ClientError", "target_broken"],
  [412, "CAFileNotFound", "ClientError", "target_broken"],
  [412, "FunctionNotStarted", "ClientError", "target_broken"],
  [429, "ResourceExhausted", "ClientError", "target_throttled"],
  [429, "ResourceThrottled", "ClientError", "target_throttled"],
  [499, "ClientClosedRequest", "ClientError", "target_unreachable"],
  [500, "InternalServerError", "ServerError", "target_fault"],
  [502, "BadResponse", "ServerError", "answer_rejected"],
  [503, "ResourceThrottled", "ServerError", "target_throttled"],
  [503, "ResourceExhausted", "ServerError", "target_throttled"],
];

describe("a refusal of the platform", () => {
  it.each(rows)("%i %s is the SDK's %s, and %s to the queue", async (status, code, sdkClass, ours) => {
    const url = await scripted((_, response) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify({ RequestId: "1-2-3", Code: code, Message: "said so" }));
    });
    expect(await sdkError(url)).toMatchObject({ name: sdkClass, statusCode: status, code });
    const error = { code: ours, message: `f: ${code} (${status}; request 1-2-3): said so` };
    const bySdk = await send(fcTarget(url), call("a", 1));
    expect(bySdk).toMatchObject({ ok: false, error });
    expect(bySdk.cost).toBe(uncharged.has(code) ? 0 : undefined);
    const plain = { code: ours, message: `${code} (${status}): said so` };
    const cost = uncharged.has(code) ? 0 : 7;
    const byUrl = await send(httpTarget(url, { costOf: () => 7 }), call("a", 1));
    expect(byUrl).toMatchObject({ ok: false, error: plain, cost });
  });

  it("is read in the old shape too", async () => {
    const url = await scripted((_, response) => {
      response.writeHead(503).end('{"ErrorCode":"CAExited","ErrorMessage":"exited unexpectedly"}');
    });
    const error = { code: "target_broken", message: /CAExited \(503\): exited unexpectedly/ };
    for (const target of [fcTarget(url), httpTarget(url, { costOf: () => 7 })]) {
      const result = await send(target, call("a", 1));
      expect(result).toMatchObject({ error });
      // It exited while it ran, whatever the status.
      expect(result.cost).not.toBe(0);
    }
  });
});

describe("what comes without a status", () => {
  it("is a SyntaxError where a gateway answers with HTML, and passes", async () => {
    const url = await scripted((_, response) => response.writeHead(502).end("<html>bad gateway</html>"));
    expect(await sdkError(url)).toMatchObject({ name: "SyntaxError" });
    const error = { code: "target_fault", retryable: true };
    expect(await send(fcTarget(url), call("a", 1))).toMatchObject({ error });
    expect(await send(httpTarget(url), call("a", 1))).toMatchObject({ error });
  });

  it("is a TypeError where the error is no object, and passes", async () => {
    const url = await scripted((_, response) => response.writeHead(500).end("null"));
    expect(await sdkError(url)).toBeInstanceOf(TypeError);
    expect(await send(fcTarget(url), call("a", 1))).toMatchObject({ error: { code: "target_fault" } });
  });

  it("is a reset or a refused connection, by the socket's code", async () => {
    const reset = await scripted((request) => request.socket.destroy());
    expect(await sdkError(reset)).toMatchObject({ code: "ECONNRESET" });
    expect(await sdkError("http://127.0.0.1:1")).toMatchObject({ code: "ECONNREFUSED" });
    const broken = await send(fcTarget(reset), call("a", 1));
    expect(broken).toMatchObject({ error: { code: "target_unreachable", retryable: true } });
    expect(broken).not.toHaveProperty("cost");
    // No call was made, so nothing is billed, and the cap on money need not hold anything for it.
    expect(await send(fcTarget("http://127.0.0.1:1"), call("a", 1))).toMatchObject({
      error: { code: "target_unreachable", retryable: true },
      cost: 0,
    });
  });

  it("is a RequestTimeoutError when nothing comes, and our own when the answer stops half-way", async () => {
    const silent = await scripted(() => {});
    const half = await scripted((_, response) => void response.write("half"));
    for (const url of [silent, half]) {
      expect(await sdkError(url, 50)).toMatchObject(
        url === silent ? { name: "RequestTimeoutError" } : { code: "target_timeout" },
      );
      for (const target of [fcTarget(url, { timeoutMs: 50 }), httpTarget(url, { timeoutMs: 50 })]) {
        expect(await send(target, call("a", 1))).toMatchObject({ error: { code: "target_timeout" } });
      }
    }
  });
});
