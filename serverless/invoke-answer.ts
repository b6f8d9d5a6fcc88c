/**
 * The answer to a call that reached an instance: Function Compute's status, headers and body for each way the
 * call can end. Pure, and apart from the host because these rules are read against the vendor's documents.
 */
import { fcErrorStatus, functionFailed, isFunctionHeader, type FunctionConfig } from "./fc-contract.ts";
import type { CallEnd } from "./instances.ts";

/** Longest log tail, in bytes before base64. */
const LOG_TAIL_BYTES = 4096;

/** What the caller is told of one call. */
export function answerOf(given: {
  readonly requestId: string;
  readonly config: FunctionConfig;
  readonly call: Extract<CallEnd, { ran: true }>;
  readonly wantsLog: boolean;
}): Response {
  const { requestId, config, call } = given;
  const { invoke } = call;
  const headers: Record<string, string> = {
    "x-fc-request-id": requestId,
    "x-fc-instance-id": call.instanceId,
    "x-fc-invocation-duration": String(Math.ceil(invoke.durationMs)),
    // Our own: Function Compute has no header that tells a cold start.
    "x-spillway-cold-start-ms": call.coldStartMs === 0 ? "0" : call.coldStartMs.toFixed(3),
  };
  if (given.wantsLog)
    headers["x-fc-log-result"] = logResult(invoke.logTail, invoke.durationMs, config.memoryMib);

  switch (invoke.end) {
    case "replied": {
      const { reply } = invoke;
      // A failure of the function is a success of the call: 200, and a header that says whose failure it is.
      if (functionFailed(reply)) headers["x-fc-error-type"] = "UnhandledInvocationError";
      const own = Object.entries(reply.headers).filter(([name]) => isFunctionHeader(name));
      return new Response(reply.body, { headers: { ...Object.fromEntries(own), ...headers } });
    }
    case "timeout": {
      headers["x-fc-error-type"] = "UnhandledInvocationError";
      // ASSUMED: the text of this body is not documented.
      const errorMessage = `Function timed out after ${config.timeoutMs / 1000} seconds`;
      return Response.json({ errorMessage }, { headers });
    }
    case "broken": {
      const body = { RequestId: requestId, Code: invoke.code, Message: invoke.message };
      return Response.json(body, { status: fcErrorStatus[invoke.code], headers });
    }
  }
}

/** The end of the function's output during the call, closed by the platform's own line, in base64. */
function logResult(logTail: string, durationMs: number, memoryMib: number): string {
  const [duration, billed] = [durationMs.toFixed(2), Math.ceil(durationMs)];
  const last = `Duration: ${duration} ms, Billed Duration: ${billed} ms, Memory Size: ${memoryMib} MB\n`;
  const text = Buffer.from(logTail + last);
  return text.subarray(Math.max(0, text.length - LOG_TAIL_BYTES)).toString("base64");
}
