/** The answer to a call that reached an instance: Function Compute's status, headers and body for each end. */
import { forbiddenHeader, functionFailed, isFunctionHeader, type FunctionConfig } from "../fc-contract.ts";
import { FcRefusal } from "../fc-refusal.ts";
import type { FunctionReply } from "../instances/function-server.ts";
import type { CallEnd } from "../instances/instance-pool.ts";

/** Of a log tail, before base64. */
const maxLogTailBytes = 4096;
/** Statuses whose answers have no body. */
const bodiless = new Set([204, 205, 304]);
/** Marks a failure of the function, as opposed to one of the platform. */
const failedHeader = { "x-fc-error-type": "UnhandledInvocationError" };

interface Answered {
  readonly requestId: string;
  readonly config: FunctionConfig;
  readonly call: CallEnd;
}

/** The answer of InvokeFunction. When the function failed, the call succeeded: the status is 200, and a header tells. */
export function invokeAnswer({ requestId, config, call }: Answered, wantsLog: boolean): Response {
  const { invoke } = call;
  const headers: Record<string, string> = {
    "x-fc-request-id": requestId,
    "x-fc-instance-id": call.instanceId,
    "x-fc-invocation-duration": String(Math.ceil(invoke.durationMs)),
    // The local host's own: Function Compute has no header for cold starts.
    "x-spillway-cold-start-ms": call.coldStartMs === 0 ? "0" : call.coldStartMs.toFixed(3),
    ...(wantsLog && { "x-fc-log-result": logResult(invoke.logTail, invoke.durationMs, config.memoryMib) }),
  };
  if (invoke.end === "broken") return invoke.refusal.response(requestId, headers);
  if (invoke.end === "replied") {
    const failed = functionFailed(invoke.reply) && failedHeader;
    return passedOn(invoke.reply, requestId, 200, { ...headers, ...failed });
  }
  // ASSUMED: the documents do not give the text of this body.
  const body = { errorMessage: timeoutText(config) };
  return Response.json(body, { headers: { ...headers, ...failedHeader } });
}

/** The answer through an HTTP trigger: the function's own status, and less about the call. */
export function triggerAnswer({ requestId, config, call }: Answered): Response {
  const { invoke } = call;
  const headers = { "x-fc-request-id": requestId };
  if (invoke.end === "broken") return invoke.refusal.response(requestId, headers);
  if (invoke.end === "replied") return passedOn(invoke.reply, requestId, invoke.reply.status, headers);
  // ASSUMED: the documents name neither status nor text for triggers.
  const body = { RequestId: requestId, Code: "InvocationTimeout", Message: timeoutText(config) };
  return Response.json(body, { status: 502, headers: { ...headers, ...failedHeader } });
}

function passedOn(
  reply: FunctionReply,
  requestId: string,
  status: number,
  headers: Record<string, string>,
): Response {
  const forbidden = forbiddenHeader(reply.headers);
  if (forbidden !== undefined) {
    const message = `the function set the response header ${forbidden}, which belongs to the platform`;
    return new FcRefusal("BadResponse", message).response(requestId, headers);
  }
  const own = Object.entries(reply.headers).filter(([name]) => isFunctionHeader(name));
  const body = bodiless.has(status) ? null : reply.body;
  return new Response(body, { status, headers: { ...Object.fromEntries(own), ...headers } });
}

function timeoutText({ timeoutMs }: FunctionConfig): string {
  return `Function timed out after ${timeoutMs / 1000} seconds`;
}

/** The end of the function's output during the call and the platform's own last line, in base64. */
function logResult(logTail: string, durationMs: number, memoryMib: number): string {
  const [duration, billed] = [durationMs.toFixed(2), Math.ceil(durationMs)];
  const last = `Duration: ${duration} ms, Billed Duration: ${billed} ms, Memory Size: ${memoryMib} MB\n`;
  const text = Buffer.from(logTail + last);
  return text.subarray(Math.max(0, text.length - maxLogTailBytes)).toString("base64");
}
