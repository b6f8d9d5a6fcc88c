/** The HTTP transport against real servers on loopback. */
import { createServer, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { createRequire } from "node:module";
import { inspect } from "node:util";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { tensorToNumbers } from "../../protocol/tensor.ts";
import { call, echo, httpTarget, listen, scripted, send, target } from "../../test/support/wired-targets.ts";
import type { HttpAuth } from "./http-auth.ts";
import { httpTransport } from "./http-transport.ts";

const { OpenApiUtil } = createRequire(import.meta.url)(
  "@alicloud/openapi-core",
) as typeof import("@alicloud/openapi-core");

describe("a V2 server over HTTP", () => {
  it("gets one call for a batch, and each request its own rows of the answer", async () => {
    const url = await listen(createServer(echo));
    const result = await send(httpTarget(url), call("a", 1), call("b", 2, 3), call("c", 3));
    if (!result.ok) throw result.error;
    expect(result.serviceMs).toBe(1.5);
    expect(result.cost).toBe(0);
    expect(result.answers.map(({ id }) => id)).toEqual(["a", "b", "c"]);
    expect(result.answers.map(({ outputs }) => Array.from(tensorToNumbers(outputs[0] as never)))).toEqual([
      [1, 1],
      [2, 2, 2, 2, 2, 2],
      [3, 3],
    ]);
  });

  it("gets a large batch whole, whose data is sent piece by piece", async () => {
    const url = await listen(createServer(echo));
    const result = await send(httpTarget(url), call("a", 1, 20_000), call("b", 2, 10_000));
    if (!result.ok) throw result.error;
    const values = result.answers.map(({ outputs }) => Array.from(tensorToNumbers(outputs[0] as never)));
    expect(values.map(({ length }) => length)).toEqual([40_000, 20_000]);
    expect(values.map((each) => new Set(each))).toEqual([new Set([1]), new Set([2])]);
  });

  it("may refuse a large batch before it has read it, and is sent the next one", async () => {
    let calls = 0;
    const url = await listen(
      createServer((request, response) => {
        if (calls++ > 0) echo(request, response);
        else response.writeHead(503, { connection: "close" }).end('{"error":"not now"}');
      }),
    );
    const edge = httpTarget(url);
    expect(await send(edge, call("a", 1, 20_000), call("b", 2, 20_000))).toMatchObject({ ok: false });
    expect(await send(edge, call("a", 1, 20_000), call("b", 2, 20_000))).toMatchObject({ ok: true });
  });

  it.each([
    [400, "request_rejected"],
    [404, "model_not_found"],
    [429, "target_throttled"],
    [500, "target_fault"],
    [503, "target_unavailable"],
    [504, "target_timeout"],
  ])("means by status %i that it is %s, in its own words", async (status, code) => {
    const url = await listen(
      createServer((_, response) => {
        response.writeHead(status).end('{"error":"why it did not work"}');
      }),
    );
    const result = await send(httpTarget(url), call("a", 1));
    expect(result).toMatchObject({ ok: false, error: { code, message: "why it did not work" } });
  });

  it("gets calls while more questions than it may have calls are unanswered", async () => {
    const url = await listen(
      createServer((request, response) => {
        if (request.method === "POST") echo(request, response);
      }),
    );
    const transport = httpTransport({ url, connections: 1 });
    const questions = Promise.allSettled(
      Array.from({ length: 4 }, () => transport.get("/v2/models/slow", 60_000)),
    );
    const edge = target(transport);
    expect(await send(edge, call("a", 1))).toMatchObject({ ok: true });
    await transport.close();
    await questions;
  });

  it("is said to be gone once no connection for calls is left", async () => {
    const server = createServer(echo);
    let timesGone = 0;
    const transport = httpTransport({ url: await listen(server), connections: 2, onGone: () => timesGone++ });
    const edge = target(transport);
    await Promise.all([send(edge, call("a", 1)), send(edge, call("b", 2))]);
    expect(timesGone).toBe(0);
    server.closeAllConnections();
    await expect.poll(() => timesGone).toBeGreaterThan(0);
  });

  it("is at fault when its answer makes no sense", async () => {
    const nonsense = await listen(createServer((_, response) => response.end("<html>")));
    expect(await send(httpTarget(nonsense), call("a", 1))).toMatchObject({ error: { code: "target_fault" } });
  });

  it("is asked for each request singly when its answer to several has other rows", async () => {
    let calls = 0;
    const short = await listen(
      createServer((_, response) => {
        calls++;
        const output = { name: "y", datatype: "FP32", shape: [1, 1], data: [1] };
        response.end(JSON.stringify({ model_name: "m", outputs: [output] }));
      }),
    );
    const result = await send(httpTarget(short), call("a", 1), call("b", 1));
    expect(result).toMatchObject({ ok: true, answers: [{ id: "a" }, { id: "b" }] });
    expect(calls).toBe(3);
  });

  it.each([
    ["gzip", gzipSync],
    ["deflate", deflateSync],
    ["br", brotliCompressSync],
  ])("reads an answer in %s, which a proxy may make of it unasked", async (coding, compress) => {
    const answer = compress(
      JSON.stringify({
        model_name: "m",
        outputs: [{ name: "y", datatype: "FP32", shape: [1, 1], data: [7] }],
      }),
    );
    const url = await scripted((_, response) =>
      response.writeHead(200, { "content-encoding": coding }).end(answer),
    );
    const result = await send(httpTarget(url), call("a", 1));
    expect(result).toMatchObject({ ok: true, answers: [{ outputs: [{ shape: [1, 1] }] }] });
    const broken = await scripted((_, response) =>
      response.writeHead(200, { "content-encoding": coding }).end(answer.subarray(0, 9)),
    );
    expect(await send(httpTarget(broken), call("a", 1))).toMatchObject({
      error: { code: "target_fault", message: expect.stringContaining("cannot be decompressed") },
    });
  });

  it("waits on where a server first says that it is at work", async () => {
    const url = await listen(
      createServer((request, response) => {
        response.writeProcessing();
        response.writeEarlyHints({ link: "</style.css>; rel=preload; as=style" }, () =>
          echo(request, response),
        );
      }),
    );
    expect(await send(httpTarget(url), call("a", 1))).toMatchObject({ ok: true, answers: [{ id: "a" }] });
  });

  it("says where a server redirects to, and does not go there", async () => {
    const url = await scripted((_, response) =>
      response.writeHead(308, { location: "https://elsewhere/v2" }).end(),
    );
    expect(await send(httpTarget(url), call("a", 1))).toMatchObject({
      error: {
        code: "target_fault",
        message: "status 308: redirected to https://elsewhere/v2; give that address where it is right",
      },
    });
  });

  it("is unreachable when nothing listens or the connection breaks, and late when it does not answer", async () => {
    const server = createServer((request) => request.socket.destroy());
    const url = await listen(server);
    const broken = await send(httpTarget(url), call("a", 1));
    expect(broken).toMatchObject({ error: { code: "target_unreachable" } });
    expect(broken).not.toHaveProperty("cost");
    const silent = await listen(createServer(() => {}));
    expect(await send(httpTarget(silent, { timeoutMs: 50 }), call("a", 1))).toMatchObject({
      error: { code: "target_timeout" },
    });
    expect(await send(httpTarget("http://127.0.0.1:1"), call("a", 1))).toMatchObject({
      error: { code: "target_unreachable", retryable: true },
      cost: 0,
    });
  });
});

describe("a function behind a URL", () => {
  const headersOf = async (auth: HttpAuth): Promise<{ path: string; headers: IncomingHttpHeaders }> => {
    const requests: IncomingMessage[] = [];
    const url = await listen(
      createServer((request, response) => {
        requests.push(request);
        echo(request, response);
      }),
    );
    const result = await send(httpTarget(`${url}/function/ocr/`, { auth }), call("a", 1));
    expect(result.ok).toBe(true);
    const [{ url: path = "", headers } = expect.fail("nothing was sent")] = requests;
    expect(path).toBe("/function/ocr/v2/models/echo/infer");
    return { path, headers };
  };

  it("is called without proof, with a token, or signed as the vendor's client signs for an HTTP trigger", async () => {
    expect((await headersOf({ kind: "none" })).headers.authorization).toBeUndefined();
    const bearer = await headersOf({ kind: "bearer", token: "t-1" });
    expect(bearer.headers.authorization).toBe("Bearer t-1");
    for (const token of [{}, { securityToken: "sts" }]) {
      const key = { accessKeyId: "ak", accessKeySecret: "sk", ...token };
      const { path, headers } = await headersOf({ kind: "acs3", ...key });
      const sent = Object.entries(headers).filter(([name]) => name.startsWith("x-acs-"));
      expect(sent.length).toBe(1 + Object.keys(token).length);
      const request = { method: "POST", pathname: path, query: {}, headers: Object.fromEntries(sent) };
      type SdkRequest = Parameters<typeof OpenApiUtil.getAuthorization>[0];
      const theirs = OpenApiUtil.getAuthorization(
        request as unknown as SdkRequest,
        "ACS3-HMAC-SHA256",
        "",
        "ak",
        "sk",
      );
      expect(headers.authorization).toBe(theirs);
    }
  });

  it.each([
    ["the platform's duration", { "x-fc-invocation-duration": "40" }, 40],
    ["OpenFaaS's duration", { "x-duration-seconds": "0.25" }, 250],
  ])("costs what its time costs, by %s", async (_, headers, expected) => {
    const url = await listen(
      createServer((request, response) => {
        for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
        echo(request, response);
      }),
    );
    const costOf = (durationMs: number): number => durationMs;
    const result = await send(httpTarget(url, { costOf }), call("a", 1));
    expect(result).toMatchObject({ ok: true, cost: expected, serviceMs: 1.5 });
  });

  it("costs what the call took where nobody says more, and nothing when it was refused", async () => {
    const plain = await scripted((_, response) => {
      const output = { name: "y", datatype: "FP32", shape: [1, 1], data: [1] };
      response.end(JSON.stringify({ model_name: "m", outputs: [output] }));
    });
    const took = await send(httpTarget(plain, { costOf: (durationMs) => durationMs }), call("a", 1));
    expect(took.cost).toBeGreaterThan(0);
    const own = await listen(createServer(echo));
    // Its own 1.5 ms are those of the model: the function was billed for all of the call.
    const costOf = (durationMs: number): number => (durationMs === 1.5 ? 0 : 7);
    expect(await send(httpTarget(own, { costOf }), call("a", 1))).toMatchObject({ cost: 7, serviceMs: 1.5 });
  });

  it("costs nothing when the platform refused the call, and what its time costs when a function did", async () => {
    const costOf = (): number => 7;
    const costAfter = async (status: number, body: string): Promise<number | undefined> => {
      const url = await scripted((_, response) => response.writeHead(status).end(body));
      return (await send(httpTarget(url, { costOf }), call("a", 1))).cost;
    };
    expect(await costAfter(429, '{"Code":"ResourceExhausted"}')).toBe(0);
    expect(await costAfter(500, '{"Code":"InternalServerError"}')).toBe(0);
    for (const status of [401, 403, 429, 500, 503]) {
      expect(await costAfter(status, '{"error":"the model is not loaded"}')).toBe(7);
      expect(await costAfter(status, "{}")).toBe(7);
    }
  });

  it("costs nobody knows what when a gateway gave it up, behind which it may run on", async () => {
    for (const [status, code] of [
      [502, "target_fault"],
      [504, "target_timeout"],
    ] as const) {
      const url = await scripted((_, response) => response.writeHead(status).end("<html>gave up</html>"));
      const result = await send(httpTarget(url, { costOf: () => 7 }), call("a", 1));
      expect(result).toMatchObject({ error: { code, message: /gave up/ } });
      expect(result.cost).toBeUndefined();
      const own = await scripted((_, response) => response.writeHead(status).end('{"error":"too late"}'));
      expect(await send(httpTarget(own, { costOf: () => 7 }), call("a", 1))).toMatchObject({ cost: 7 });
    }
  });

  it("costs what its time costs also when its answer makes no sense", async () => {
    const costOf = (): number => 7;
    for (const headers of [{}, { "inference-header-content-length": "x" }]) {
      const url = await scripted((_, response) => response.writeHead(200, headers).end("<html>"));
      expect(await send(httpTarget(url, { costOf }), call("a", 1))).toMatchObject({
        error: { code: "target_fault", message: /answer makes no sense/ },
        cost: 7,
      });
    }
  });

  it("is denied, not without the model, where a gateway knows no function", async () => {
    const url = await scripted((_, response) => response.writeHead(404).end("<html>no such service</html>"));
    expect(await send(httpTarget(url), call("a", 1))).toMatchObject({
      error: { code: "target_denied", message: /status 404/ },
    });
  });

  it("is sent a batch in halves that it finds too large, and only what is too large alone fails", async () => {
    const sizes: number[] = [];
    const url = await listen(
      createServer((request, response) => {
        const bytes = Number(request.headers["content-length"]);
        sizes.push(bytes);
        if (bytes < 1_000) echo(request, response);
        else request.resume().on("end", () => response.writeHead(413).end('{"error":"too large"}'));
      }),
    );
    const target = httpTarget(url, { costOf: () => 1 });
    const result = await send(target, call("a", 1), call("b", 2, 200), call("c", 3, 80), call("d", 4, 80));
    if (!result.ok) throw result.error;
    expect(result.answers.map(({ id }) => id)).toEqual(["a", "c", "d"]);
    expect([...(result.unanswered ?? [])]).toMatchObject([[1, { code: "request_too_large" }]]);
    expect(sizes.length).toBe(7);
    // Several calls are no measure of one.
    expect(result).toMatchObject({ serviceMs: undefined, cost: 7 });
    const alone = await send(target, call("b", 2, 200));
    expect(alone).toMatchObject({ ok: false, error: { code: "request_too_large", message: "too large" } });
  });

  it("does not tell its callers what it was sent to prove who they are", async () => {
    const url = await scripted((request, response) => {
      response.writeHead(403).end(JSON.stringify({ error: JSON.stringify(request.headers) }));
    });
    const auths: HttpAuth[] = [
      { kind: "bearer", token: "t0ken" },
      { kind: "acs3", accessKeyId: "ak", accessKeySecret: "s3cret", securityToken: "t0ken" },
    ];
    for (const auth of auths) {
      const result = await send(httpTarget(url, { auth }), call("a", 1));
      if (result.ok) expect.fail("it was let in");
      expect(result.error).toMatchObject({ code: "target_denied", message: /\[secret\]/ });
      expect(inspect(result.error, { depth: 9 })).not.toMatch(/t0ken|s3cret/);
    }
  });
});
