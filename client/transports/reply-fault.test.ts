import { expect, it } from "vitest";
import { replyFault } from "./reply-fault.ts";

const said = (error: string): string => JSON.stringify({ error });

it.each([
  ["a V2 server says 500", 500, said("element 3 is bad"), "target_fault", false],
  ["a V2 server says 502 of a model behind it", 502, said("the stage failed"), "target_fault", false],
  ["a server says 500 in words of its own", 500, "Internal Server Error", "target_fault", false],
  ["a server says 500 in JSON of its own", 500, '{"detail":"boom"}', "target_fault", false],
  ["a server has nothing for it", 501, "", "target_fault", false],
  ["a gateway reaches nobody", 502, "<html>bad gateway</html>", "target_fault", true],
  ["a CDN reaches nobody", 521, "<html>web server is down</html>", "target_fault", true],
  ["a platform fails", 500, '{"Code":"InternalServerError","Message":"x"}', "target_fault", true],
  ["a server answers 204", 204, "", "target_fault", false],
  ["a server cannot serve now", 503, said("not ready"), "target_unavailable", true],
  [
    "a server refuses in words of its own",
    422,
    '{"detail":[{"msg":"field required"}]}',
    "request_rejected",
    false,
  ],
  [
    "Triton of old has no such model",
    400,
    said("Request for unknown model: 'm' is not found"),
    "model_not_found",
    false,
  ],
  ["a server is a teapot", 418, said("short and stout"), "request_rejected", false],
  ["a server has no storage", 507, "", "out_of_memory", false],
])("tells of the target, or of a request or model only, when %s", (_, status, body, code, isOfTarget) => {
  expect(replyFault({ status, wire: { body: Buffer.from(body) } })).toMatchObject({ code, isOfTarget });
});

it.each([
  "CUDA out of memory. Tried to allocate 2.00 GiB",
  "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Failed to allocate memory for requested buffer of size 42",
  "model m failed: std::bad_alloc",
  "OOM when allocating tensor with shape[4096,4096]",
  "RESOURCE_EXHAUSTED: failed to allocate request for 1.0GiB",
])("knows a lack of memory by its words: %s", (error) => {
  expect(replyFault({ status: 500, wire: { body: Buffer.from(said(error)) } }).code).toBe("out_of_memory");
});

it.each(["the BOOM model failed", "no room for improvement", "memory format channels_last is unknown"])(
  "does not see one in: %s",
  (error) => {
    expect(replyFault({ status: 500, wire: { body: Buffer.from(said(error)) } }).code).toBe("target_fault");
  },
);

it.each([
  ["our edge", '{"error":"given up: 3 s behind","reason":"overloaded"}'],
  ["Triton with a full queue", said("[request id: 1] Exceeds maximum queue size")],
  ["Triton after the time in its queue", said("Request timeout expired")],
  ["Knative", "pending request queue full"],
  ["Envoy", "upstream connect error or disconnect/reset before headers. reset reason: overflow"],
  [
    "TorchServe",
    '{"code":503,"type":"ServiceUnavailableException","message":"Model \\"m\\" has no worker to serve inference request."}',
  ],
])("tells too many requests from a server that is not well: %s", (_, body) => {
  const fault = replyFault({ status: 503, wire: { body: Buffer.from(body) }, retryAfterMs: 2_000 });
  expect(fault).toMatchObject({ code: "overloaded", isOfTarget: false, retryAfterMs: 2_000 });
});
