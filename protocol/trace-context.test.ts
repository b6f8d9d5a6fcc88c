import { expect, it } from "vitest";
import { parseTraceParent, traceContextOf, traceHeaders } from "./trace-context.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const spanId = "b7ad6b7169203331";

it("takes a traceparent apart", () => {
  expect(parseTraceParent(`00-${traceId}-${spanId}-01`)).toEqual({ traceId, spanId, flags: 1 });
  expect(parseTraceParent(`cc-${traceId}-${spanId}-01-what-will-be`)).toEqual({ traceId, spanId, flags: 1 });
});

it.each([
  "",
  "00",
  `00-${traceId}-${spanId}`,
  `00-${traceId}-${spanId}-01-more`,
  `00-${traceId}-${spanId}-01, 00-${traceId}-${spanId}-01`,
  `ff-${traceId}-${spanId}-01`,
  `00-${"0".repeat(32)}-${spanId}-01`,
  `00-${traceId}-${"0".repeat(16)}-01`,
  `00-${traceId.toUpperCase()}-${spanId}-01`,
  `00-${traceId}g-${spanId}-01`,
  `00-${traceId}-${spanId}-01\r\nx: y`,
  "a".repeat(100_000),
])("leaves out what is no traceparent: %s", (text) => {
  expect(traceContextOf(text, "a=b")).toBeUndefined();
});

it("hands on tracestate with a traceparent only, and none that is too long", () => {
  const traceparent = `00-${traceId}-${spanId}-00`;
  expect(traceHeaders(traceContextOf(traceparent, "vendor=1"))).toEqual({
    traceparent,
    tracestate: "vendor=1",
  });
  expect(traceHeaders(traceContextOf(` ${traceparent} `, "v".repeat(513)))).toEqual({ traceparent });
  expect(traceHeaders(traceContextOf(undefined, "vendor=1"))).toEqual({});
});
