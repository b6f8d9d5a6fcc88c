import { expect, it } from "vitest";
import { httpStatusOf, grpcCodeOf, grpcCodes } from "./grpc-status.ts";
import { questionOf, questions, type V2Request } from "./questions.ts";
import { type GrpcMethod, openSchema } from "./schema.ts";

const { methods } = openSchema();

/** Through the bytes of the message that asks it. */
function throughMessage(request: V2Request): V2Request {
  const { name, message } = questionOf(request) as { name: string; message: object };
  const codec = (methods.get(name) as GrpcMethod).request;
  const read = codec.toJson(codec.read(codec.write(codec.fromJson(message))));
  return (questions[name] as (typeof questions)[string]).asV2(read);
}

it.each<V2Request>([
  { method: "GET", path: "/v2" },
  { method: "GET", path: "/v2/health/live" },
  { method: "GET", path: "/v2/health/ready" },
  { method: "GET", path: "/v2/models/res%20net%2F1" },
  { method: "GET", path: "/v2/models/m/versions/2/ready" },
  { method: "GET", path: "/v2/models/%E6%A8%A1/config" },
  { method: "GET", path: "/v2/models/stats" },
  { method: "GET", path: "/v2/models/m/versions/2/stats" },
  { method: "POST", path: "/v2/repository/index", body: { ready: true } },
  { method: "POST", path: "/v2/repository/index", body: {} },
  {
    method: "POST",
    path: "/v2/repository/models/m/unload",
    body: { parameters: { unload_dependents: true } },
  },
  {
    method: "POST",
    path: "/v2/repository/models/m/load",
    body: { parameters: { config: '{"a":1}', "file:1/model.onnx": "AAEC", n: 3 } },
  },
])("asks $path by a message that means the same", (request) => {
  expect(throughMessage(request)).toEqual(request);
});

it("has no message for what gRPC does not know", () => {
  expect(questionOf({ method: "GET", path: "/v2/models/m/example" })).toBeUndefined();
  expect(questionOf({ method: "GET", path: "/admin/status" })).toBeUndefined();
});

/** The answer to a question, through the bytes of its message. */
function answerThrough(name: string, json: object): unknown {
  const question = questions[name] as (typeof questions)[string];
  const codec = (methods.get(name) as GrpcMethod).response;
  const message = question.answered({ status: 200, json });
  return question.asAnswer(codec.toJson(codec.read(codec.write(codec.fromJson(message as object))))).json;
}

it("keeps what a model's metadata says of joining and of its inputs", () => {
  const metadata = {
    name: "m",
    versions: ["1"],
    platform: "onnx_onnxv1",
    inputs: [
      { name: "x.y", datatype: "FP32", shape: [-1, 3], parameters: { example_shape: "[1,3]" } },
      { name: "x", datatype: "BYTES", shape: [-1] },
    ],
    outputs: [{ name: "y", datatype: "FP32", shape: [-1, 3] }],
    parameters: {
      join_rows: true,
      max_batch_rows: 32,
      replicas: 2,
      providers: "cpu",
      part: 0.5,
      code: "007",
    },
  };
  expect(answerThrough("ModelMetadata", metadata)).toEqual(metadata);
});

it("keeps a model's configuration and its statistics", () => {
  const config = { name: "m", max_batch_size: 8, input: [{ name: "x", data_type: "TYPE_FP32", dims: [3] }] };
  expect(answerThrough("ModelConfig", config)).toMatchObject(config);
  const stats = { model_stats: [{ name: "m", version: "1", inference_count: 2 ** 40, execution_count: 3 }] };
  expect(answerThrough("ModelStatistics", stats)).toMatchObject(stats);
});

it("means the same by a status of gRPC and the one over HTTP", () => {
  for (const status of [400, 401, 403, 404, 429, 499, 501, 503, 504])
    expect(httpStatusOf(grpcCodeOf(status))).toBe(status);
  expect(httpStatusOf(grpcCodes.RESOURCE_EXHAUSTED, "Received message larger than max (9 vs. 4)")).toBe(413);
  expect(httpStatusOf(grpcCodes.UNAVAILABLE, "Request for unknown model: 'm' is not found")).toBe(404);
});
