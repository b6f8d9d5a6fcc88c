/** gRPC in front of V2 routes, on real sockets with the library's own client. */
import { describe, expect, it } from "vitest";
import { eventually } from "../../test/support/built.ts";
import { echoServer, grpcCall, grpcClient } from "../../test/support/grpc-echo.ts";
import { grpcCodes } from "./grpc-status.ts";
import { openSchema } from "./schema.ts";

const ints = { name: "x", datatype: "INT32", shape: [1, 2], contents: { int_contents: [1, -2] } };
const request = (model: string, more: object = {}): object => ({
  model_name: model,
  inputs: [ints],
  ...more,
});

describe("an inference over gRPC", () => {
  it("reaches the model with its parameters, and is answered in the form that it came in", async () => {
    const server = await echoServer();
    const client = grpcClient(server.port);
    const parameters = {
      priority: { int64_param: 2 },
      note: { string_param: "ü" },
      sure: { bool_param: true },
      part: { double_param: 0.5 },
    };
    const answer = await grpcCall(client, "ModelInfer", request("echo", { id: "7", parameters }));
    expect(server.asked[0]?.request.parameters).toMatchObject({
      priority: 2,
      note: "ü",
      sure: true,
      part: 0.5,
    });
    expect(answer).toMatchObject({
      model_name: "echo",
      id: "7",
      outputs: [{ name: "x", contents: { int_contents: [1, -2] } }],
      raw_output_contents: [],
    });
    const raw = { name: "x", datatype: "FP16", shape: [1, 1] };
    const message = { model_name: "echo", inputs: [raw], raw_input_contents: ["ADw="] };
    expect(await grpcCall(client, "ModelInfer", message)).toMatchObject({ raw_output_contents: ["ADw="] });
  });

  it("hands on what its caller sends beside it, and not what belongs to the transport", async () => {
    const server = await echoServer();
    const metadata = { "spillway-lane": "bulk", traceparent: "00-1-2-01", "content-encoding": "gzip" };
    await grpcCall(grpcClient(server.port), "ModelInfer", request("echo"), { metadata });
    const headers = server.asked[0]?.headers ?? {};
    expect(headers).toMatchObject({ "spillway-lane": "bulk", traceparent: "00-1-2-01" });
    expect(headers).not.toHaveProperty("content-encoding");
  });

  it("is told the id that the server has given it, answered or not", async () => {
    const client = grpcClient((await echoServer()).port);
    const ids: unknown[] = [];
    const onHead = (head: Readonly<Record<string, unknown>>): number => ids.push(head["spillway-request-id"]);
    await grpcCall(client, "ModelInfer", request("echo"), { onHead });
    await grpcCall(client, "ModelInfer", request("full"), { onHead }).catch(() => {});
    expect(ids).toEqual(["run-1", "run-2"]);
  });

  it("has its deadline, which its model is told and which ends its work", async () => {
    const server = await echoServer();
    const ended = grpcCall(grpcClient(server.port), "ModelInfer", request("slow"), { deadlineMs: 300 });
    await expect(ended).rejects.toMatchObject({ code: grpcCodes.DEADLINE_EXCEEDED });
    const withinMs = Number(server.asked[0]?.headers["spillway-within-ms"]);
    expect(withinMs).toBeGreaterThan(0);
    expect(withinMs).toBeLessThanOrEqual(300);
    await eventually(() => expect(server.left).toBe(1));
  });

  it("ends when its caller cancels it", async () => {
    const server = await echoServer();
    const cancel = new AbortController();
    const ended = grpcCall(grpcClient(server.port), "ModelInfer", request("slow"), { signal: cancel.signal });
    await eventually(() => expect(server.asked).toHaveLength(1));
    cancel.abort();
    await expect(ended).rejects.toMatchObject({ code: grpcCodes.CANCELLED });
    await eventually(() => expect(server.left).toBe(1));
  });

  it.each<[string, object, keyof typeof grpcCodes, RegExp]>([
    ["a model that is not there", request("nope"), "NOT_FOUND", /no model nope/],
    ["no model", request(""), "INVALID_ARGUMENT", /model_name is empty/],
    ["no inputs", { model_name: "echo" }, "INVALID_ARGUMENT", /inputs is an empty array/],
    ["a fault of the server", request("broken"), "INTERNAL", /a fault of ours/],
    [
      "a datatype that is none",
      { model_name: "echo", inputs: [{ ...ints, datatype: "INT33" }] },
      "INVALID_ARGUMENT",
      /inputs\[0\]\.datatype is "INT33"; allowed: BOOL/,
    ],
    [
      "values of another datatype",
      { model_name: "echo", inputs: [{ ...ints, datatype: "FP32" }] },
      "INVALID_ARGUMENT",
      /inputs\[0\] \("x"\) has int_contents; FP32 takes fp32_contents/,
    ],
    [
      "a value out of range",
      { model_name: "echo", inputs: [{ ...ints, datatype: "INT8", contents: { int_contents: [1, 200] } }] },
      "INVALID_ARGUMENT",
      /element 1 is 200; INT8 allows integers from -128 to 127/,
    ],
    [
      "fewer values than its shape says",
      { model_name: "echo", inputs: [{ ...ints, shape: [2, 2] }] },
      "INVALID_ARGUMENT",
      /has 8 bytes of data; INT32\[2,2\] takes 16 bytes/,
    ],
    [
      "fewer raw contents than inputs",
      { model_name: "echo", inputs: [ints, { ...ints, name: "z" }], raw_input_contents: ["AAAA"] },
      "INVALID_ARGUMENT",
      /raw_input_contents has 1 entries; allowed: one for each of the 2 inputs, or none/,
    ],
    [
      "values and raw contents",
      { model_name: "echo", inputs: [ints], raw_input_contents: ["AAAAAAAAAAA="] },
      "INVALID_ARGUMENT",
      /has both contents and raw contents; allowed: one/,
    ],
    [
      "shared memory",
      {
        model_name: "echo",
        inputs: [{ ...ints, contents: null, parameters: { shared_memory_region: { string_param: "a" } } }],
      },
      "INVALID_ARGUMENT",
      /shared memory is not served here/,
    ],
    [
      "a parameter without a value",
      request("echo", { parameters: { priority: {} } }),
      "INVALID_ARGUMENT",
      /parameters\["priority"\] has no value/,
    ],
  ])("says clearly what is wrong with %s", async (_, message, code, details) => {
    const server = await echoServer();
    const ended = grpcCall(grpcClient(server.port), "ModelInfer", message);
    await expect(ended).rejects.toMatchObject({
      code: grpcCodes[code],
      details: expect.stringMatching(details),
    });
  });

  it("says when to come back, and why, where it is refused for now", async () => {
    const server = await echoServer();
    const error = await grpcCall(grpcClient(server.port), "ModelInfer", request("full")).catch((end) => end);
    expect(error).toMatchObject({ code: grpcCodes.UNAVAILABLE, details: "too much" });
    expect(error.metadata.getMap()).toMatchObject({ "retry-after": "3", "spillway-reason": "overloaded" });
  });

  it("is refused when its message is longer than allowed, and the next one is served", async () => {
    const server = await echoServer({ maxMessageBytes: 1_000 });
    const client = grpcClient(server.port);
    const long = { model_name: "echo", inputs: [ints], raw_input_contents: ["A".repeat(4_000)] };
    const ended = grpcCall(client, "ModelInfer", long);
    await expect(ended).rejects.toMatchObject({ code: grpcCodes.RESOURCE_EXHAUSTED });
    expect(await grpcCall(client, "ModelInfer", request("echo"))).toMatchObject({ model_name: "echo" });
  });
});

describe("a stream of inferences", () => {
  it("answers each request, errors as answers of their own, and takes few at once of a caller", async () => {
    const server = await echoServer();
    const method = openSchema().methods.get("ModelStreamInfer");
    if (method === undefined) throw new Error("no method");
    const { path, request: asked, response } = method;
    const stream = grpcClient(server.port).makeBidiStreamRequest(path, asked.write, response.read);
    const answers: Record<string, unknown>[] = [];
    stream.on("data", (message: object) => answers.push(response.toJson(message)));
    stream.on("error", () => {});
    for (let id = 0; id < 150; id++) stream.write(asked.fromJson(request("echo", { id: String(id) })));
    stream.write(asked.fromJson(request("nope", { id: "wrong" })));
    await eventually(() => expect(answers).toHaveLength(151));
    const wrong = answers.filter(({ error_message: error }) => error !== "");
    expect(wrong).toMatchObject([{ error_message: "no model nope", infer_response: { id: "wrong" } }]);
    for (let id = 0; id < 150; id++) stream.write(asked.fromJson(request("slow")));
    await eventually(() => expect(server.mostOpen).toBeGreaterThan(10));
    expect(server.mostOpen).toBeLessThanOrEqual(64);
    stream.cancel();
    await eventually(() => expect(server.left).toBe(server.asked.length - 151));
  });
});

describe("who may do what over gRPC", () => {
  const access = { token: { text: "secret-token", endsTrust: true }, open: [] } as const;

  it("is decided as over HTTP, by the metadata", async () => {
    const server = await echoServer({ access });
    const client = grpcClient(server.port);
    await expect(grpcCall(client, "ModelInfer", request("echo"))).rejects.toMatchObject({
      code: grpcCodes.UNAUTHENTICATED,
    });
    const metadata = { authorization: "Bearer secret-token" };
    expect(await grpcCall(client, "ModelInfer", request("echo"), { metadata })).toHaveProperty("outputs");
    expect(server.asked).toHaveLength(1);
  });

  it("trusts a program on this machine, and none that comes through a proxy", async () => {
    const server = await echoServer({ access: { open: [] } });
    const client = grpcClient(server.port);
    expect(await grpcCall(client, "ModelInfer", request("echo"))).toHaveProperty("outputs");
    const metadata = { "x-forwarded-for": "192.0.2.1" };
    await expect(grpcCall(client, "ModelInfer", request("echo"), { metadata })).rejects.toMatchObject({
      code: grpcCodes.PERMISSION_DENIED,
    });
  });
});

describe("health over gRPC", () => {
  it("is told in the protocol's words and in those of gRPC itself", async () => {
    const client = grpcClient((await echoServer()).port);
    expect(await grpcCall(client, "ServerReady", {})).toEqual({ ready: false });
    expect(await grpcCall(client, "Check", {})).toEqual({ status: "NOT_SERVING" });
    expect(await grpcCall(client, "Check", { service: "echo" })).toEqual({ status: "SERVING" });
  });
});

it("answers what it has taken before it closes", async () => {
  const server = await echoServer();
  const ended = grpcCall(grpcClient(server.port), "ModelInfer", request("slow"), { deadlineMs: 500 });
  await eventually(() => expect(server.asked).toHaveLength(1));
  const closed = server.close();
  await expect(ended).rejects.toMatchObject({ code: grpcCodes.DEADLINE_EXCEEDED });
  await closed;
});
