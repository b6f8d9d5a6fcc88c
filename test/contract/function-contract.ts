/**
 * What a function must do in every shape in which it can run, as a suite that takes a shape and the command that starts
 * the function: inference, the platform's hooks and marks, what HTTP asks for, and how it ends. What a shape cannot
 * carry is skipped, and says why.
 */
import { type ClientRequest, Agent, type IncomingMessage, request } from "node:http";
import { once } from "node:events";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { decodeInferResponse } from "../../protocol/decode.ts";
import { encodeInferRequest } from "../../protocol/encode.ts";
import { packCall, unpackReply } from "../../protocol/envelope.ts";
import type { InferRequest } from "../../protocol/message.ts";
import { tensorFromNumbers, tensorToNumbers } from "../../protocol/tensor.ts";
import { eventually } from "../support/built.ts";
import { brokenRepository, functionRepository } from "./function-models.ts";
import type { FunctionCommand, FunctionShape, InferAnswer, RunningFunction } from "./function-shape.ts";

const hostBetween = "the function host is between, which has its own answer and keeps what it is told";

export function functionContract(shape: FunctionShape, command: Omit<FunctionCommand, "models">): void {
  let running: RunningFunction;
  beforeAll(async () => {
    running = await shape.start({ ...command, models: functionRepository() });
  });
  afterAll(() => running?.stop());

  const infer = (model: string, request: InferRequest, binary = false): Promise<InferAnswer> =>
    running.infer({ model, wire: encodeInferRequest(request, { binary }) });

  describe("inference", () => {
    it.each([false, true])("answers one row (binary data: %s)", async (binary) => {
      const { status, wire } = await infer("simple", rowsFrom(0, 1), binary);
      expect(status).toBe(200);
      const { id, modelName, modelVersion, outputs, parameters } = decodeInferResponse(
        wire.body,
        wire.headerBytes,
      );
      expect([id, modelName, modelVersion]).toEqual(["row 0", "simple", "3"]);
      expect(outputs.map(({ name, shape }) => [name, shape])).toEqual([
        ["OUTPUT0", [1, 16]],
        ["OUTPUT1", [1, 16]],
      ]);
      expect(numbersOf(wire)).toEqual([count(1, 1), count(-1, 1)]);
      expect(parameters["spillway_service_ms"]).toBeGreaterThanOrEqual(0);
    });

    it("answers several rows at once, each as if it had come alone", async () => {
      const { wire } = await infer("simple", rowsFrom(5, 7), true);
      const [sums, differences] = numbersOf(wire);
      expect([sums, differences]).toEqual([count(6, 7), count(4, 7)]);
      for (let row = 0; row < 7; row++) {
        const alone = await infer("simple", rowsFrom(5 + row * 16, 1));
        expect(numbersOf(alone.wire)[0]).toEqual(sums?.slice(row * 16, row * 16 + 16));
      }
    });

    it.each([
      ["a tensor that is missing", { parameters: {}, inputs: rowsFrom(0, 1).inputs.slice(1) }, /INPUT0/],
      ["a shape that does not fit", { parameters: {}, inputs: rowsFrom(0, 1, 3).inputs }, /\[1,3\]/],
    ])("refuses %s with 400 and why", async (_, wrong, why) => {
      const { status, wire } = await infer("simple", wrong);
      expect(status).toBe(400);
      expect(errorOf(wire)).toMatch(why);
    });

    it("refuses what is no V2 request with 400", async () => {
      const { status, wire } = await running.infer({ model: "simple", wire: { body: bytes("{") } });
      expect(status).toBe(400);
      expect(errorOf(wire)).toMatch(/JSON/);
    });

    it("answers 404 for a model and for a version that it does not have", async () => {
      const { status, wire } = await infer("nobody", rowsFrom(0, 1));
      expect([status, errorOf(wire)]).toEqual([404, expect.stringContaining('no model "nobody"')]);
      const versions = ["3", "9"].map((version) =>
        running.infer({
          model: "simple",
          version,
          wire: encodeInferRequest(rowsFrom(0, 1), { binary: false }),
        }),
      );
      expect((await Promise.all(versions)).map((answer) => answer.status)).toEqual([200, 404]);
    });

    it("answers 500 with why when a batch fails, and serves the next", async () => {
      const mood = (value: number): InferRequest => {
        return { parameters: {}, inputs: [tensorFromNumbers("x", "INT32", [2, 1], [value, 1])] };
      };
      const { status, wire } = await infer("moody", mood(-1));
      expect([status, errorOf(wire)]).toEqual([500, expect.stringContaining("negative mood")]);
      const next = await infer("moody", mood(2), true);
      expect([next.status, numbersOf(next.wire)]).toEqual([200, [[2, 1]]]);
    });
  });

  describe("marks in the log", () => {
    it("stand around each call of a platform, which cuts its log there, and nowhere else", async () => {
      const before = running.output().length;
      await infer("simple", rowsFrom(0, 1));
      const marks = /FC Invoke Start RequestId: (\S+)\n[^]*FC Invoke End RequestId: (\S+)\n/;
      if (!shape.isPlatform) {
        expect(running.output()).not.toMatch(/FC \w+ (Start|End)/);
        return;
      }
      await eventually(() => expect(running.output().slice(before)).toMatch(marks));
      const [, start, end] = marks.exec(running.output().slice(before)) ?? [];
      expect(start).toMatch(/^1-[0-9a-f]+-[0-9a-f]{8}-[0-9a-f]{12}$/);
      expect(end).toBe(start);
    });

    it("stand around the initializer, which ran before the first call", async ({ skip }) => {
      if (!shape.isPlatform) skip("nobody is in front who would call the initializer");
      await eventually(() =>
        expect(running.output()).toMatch(
          /FC Initialize Start RequestId: \S+\n[^]*FC Initialize End RequestId: \S+\n/,
        ),
      );
    });
  });

  describe("a model that cannot be loaded", () => {
    it("keeps the platform from using the function, and is unavailable where there is none", async () => {
      const starting = shape.start({ ...command, models: brokenRepository() });
      if (shape.isPlatform && running.send !== undefined) {
        await expect(starting).rejects.toThrow(/initializer? answered 404[^]*broken/);
        return;
      }
      const broken = await starting;
      try {
        const answer = broken.infer({
          model: "broken",
          wire: encodeInferRequest(rowsFrom(0, 1), { binary: false }),
        });
        if (shape.isPlatform) await expect(answer).rejects.toMatchObject({ statusCode: 412 });
        else expect((await answer).status).toBe(503);
      } finally {
        await broken.stop();
      }
    });
  });

  describe("HTTP", () => {
    let send: NonNullable<RunningFunction["send"]>;
    beforeEach(({ skip }) => {
      if (running.send === undefined) return skip("an invocation carries bytes, no path");
      send = running.send;
    });
    const json = async (path: string, init?: RequestInit): Promise<[number, unknown]> => {
      const reply = await send(path, init);
      return [reply.status, await reply.json()];
    };

    it("tells its health, itself and its models", async () => {
      await eventually(async () => expect((await send("/v2/health/ready")).status).toBe(200));
      expect((await send("/v2/health/live")).status).toBe(200);
      expect((await send("/v2/models/simple/ready")).status).toBe(200);
      expect(await json("/v2")).toMatchObject([
        200,
        { extensions: expect.arrayContaining(["binary_tensor_data"]) },
      ]);
      expect(await json("/v2/models/simple")).toMatchObject([200, { name: "simple", versions: ["3"] }]);
    });

    it("answers what is not there, or not so, as V2 does", async () => {
      expect(await json("/nowhere")).toMatchObject([404, { error: expect.stringContaining("/nowhere") }]);
      expect(await json("/v2/models/simple/infer")).toMatchObject([405, { error: expect.any(String) }]);
    });

    it.each(["/invoke", "/"])(
      "takes a call in an envelope at POST %s, as platforms send events",
      async (path) => {
        const wire = encodeInferRequest(rowsFrom(0, 1), { binary: true });
        const envelope = packCall({ model: "simple", wire }) as Uint8Array<ArrayBuffer>;
        const reply = await send(path, { method: "POST", body: envelope });
        expect(reply.status).toBe(200);
        const { status, wire: answer } = unpackReply(new Uint8Array(await reply.arrayBuffer()));
        expect([status, numbersOf(answer)[0]]).toEqual([200, count(1, 1)]);
      },
    );

    it.each(["/invoke", "/"])(
      "fails at POST %s when what comes is no envelope, and says why",
      async (path) => {
        const reply = await send(path, { method: "POST", body: "hello, who is there" });
        expect(reply.status).toBe(404);
        expect(await reply.json()).toMatchObject({ error: expect.stringContaining("call") });
      },
    );

    it.for(["/v2/models/simple/infer", "/invoke"])(
      "refuses a body at %s that is larger than an invocation's",
      async (path, { skip }) => {
        if (running.process === undefined) skip(hostBetween);
        const status = await sendHead(running, path, { "content-length": 32 * 2 ** 20 + 1 });
        expect(status).toBe(413);
      },
    );

    it("says by x-fc-status whether the call failed, or only its input was wrong", async ({ skip }) => {
      if (!shape.isPlatform) skip("nobody is in front who would read it");
      if (running.process === undefined) skip(hostBetween);
      const statusOf = async (path: string, body: string): Promise<unknown[]> => {
        const { status, headers } = await send(path, { method: "POST", body });
        return [status, headers.get("x-fc-status")];
      };
      expect(await statusOf("/v2/models/simple/infer", "{")).toEqual([400, "200"]);
      const inputs = [{ name: "x", datatype: "INT32", shape: [1, 1], data: [-1] }];
      expect(await statusOf("/v2/models/moody/infer", JSON.stringify({ inputs }))).toEqual([500, "404"]);
      expect(await statusOf("/invoke", "hello")).toEqual([404, "404"]);
    });

    it("answers the hooks of a platform", async ({ skip }) => {
      if (running.process === undefined) skip(hostBetween);
      for (const [method, path, what] of [
        ["POST", "/initialize", "Initialize"],
        ["GET", "/pre-stop", "PreStop"],
      ] as const) {
        const id = `1-abc-${what}`;
        const reply = await send(path, {
          method,
          headers: { "x-fc-request-id": id, "x-fc-control-path": path },
        });
        expect([reply.status, reply.headers.get("x-fc-status")]).toEqual([200, "200"]);
        await eventually(() =>
          expect(running.output()).toContain(
            `FC ${what} Start RequestId: ${id}\nFC ${what} End RequestId: ${id}\n`,
          ),
        );
      }
    });
  });

  describe("the process", () => {
    let own: NonNullable<RunningFunction["process"]>;
    beforeEach(({ skip }) => {
      if (running.process === undefined) return skip("the function host has the process");
      own = running.process;
    });

    it("listens on every address, not on the loopback alone", async ({ skip }) => {
      if (process.platform !== "linux") skip("only Linux has 127.0.0.2 without being told");
      expect((await fetch(`http://127.0.0.2:${own.port}/v2/health/live`)).status).toBe(200);
    });

    it("keeps connections, and names no time after which it would close them", async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const get = async (): Promise<[ClientRequest, IncomingMessage]> => {
        const asked = request({ agent, port: own.port, path: "/v2/health/live" }).end();
        const [answer] = (await once(asked, "response")) as [IncomingMessage];
        await once(answer.resume(), "end");
        return [asked, answer];
      };
      const [, answer] = await get();
      expect(answer.headers.connection).toBe("keep-alive");
      expect(answer.headers["keep-alive"]).toBeUndefined();
      expect((await get())[0].reusedSocket).toBe(true);
      agent.destroy();
    });

    // The last one: it ends the function.
    it("answers after SIGTERM what it had begun to take, takes nothing new, and ends with 0", async () => {
      const { body } = encodeInferRequest(rowsFrom(0, 1), { binary: false });
      const headers = {
        expect: "100-continue",
        "content-length": body.length,
        "content-type": "application/json",
      };
      const asked = request({ port: own.port, method: "POST", path: "/v2/models/simple/infer", headers });
      asked.flushHeaders();
      await once(asked, "continue");
      asked.write(body.subarray(0, 10));
      own.terminate();
      await eventually(() => expect(fetch(`http://127.0.0.1:${own.port}/v2/health/live`)).rejects.toThrow());
      asked.end(body.subarray(10));
      const [answer] = (await once(asked, "response")) as [IncomingMessage];
      expect(answer.statusCode).toBe(200);
      answer.resume();
      expect(await own.exited).toBe(0);
    });
  });
}

/** Rows of `simple`: the numbers that follow `first`, and ones. */
function rowsFrom(first: number, rows: number, width = 16): InferRequest {
  const numbers = Array.from({ length: rows * width }, (_, index) => first + index);
  const shape = [rows, width];
  const inputs = [
    tensorFromNumbers("INPUT0", "INT32", shape, numbers),
    tensorFromNumbers(
      "INPUT1",
      "INT32",
      shape,
      numbers.map(() => 1),
    ),
  ];
  return { id: `row ${first}`, parameters: {}, inputs };
}

function count(first: number, rows: number): number[] {
  return Array.from({ length: rows * 16 }, (_, index) => first + index);
}

function numbersOf(wire: InferAnswer["wire"]): number[][] {
  const { outputs } = decodeInferResponse(wire.body, wire.headerBytes);
  return outputs.map((output) => Array.from(tensorToNumbers(output), Number));
}

function errorOf({ body }: InferAnswer["wire"]): string {
  return (JSON.parse(new TextDecoder().decode(body)) as { error: string }).error;
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The status of the answer to a request whose body never comes. */
async function sendHead(
  running: RunningFunction,
  path: string,
  headers: Record<string, number>,
): Promise<number> {
  const asked = request({ port: running.process?.port, method: "POST", path, headers });
  asked.flushHeaders();
  const [answer] = (await once(asked, "response")) as [IncomingMessage];
  asked.on("error", () => {});
  asked.destroy();
  return answer.statusCode ?? 0;
}
