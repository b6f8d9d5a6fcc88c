/**
 * Spillway as a library: the virtual queue, the fixed plan, the targets it sends to and the clock it runs on.
 * Everything else of the package is reached through its command line.
 */
export type { Clock, Timer } from "./client/clock.ts";
export { type ErrorCode, SpillwayError } from "./client/errors.ts";
export { monotonicClock } from "./client/monotonic-clock.ts";
export { type FixedPlan, fixedPolicy } from "./client/policies/fixed.ts";
export type { Decision, LineView, Policy, QueueView, TargetView, WaitingRequest } from "./client/policy.ts";
export type { QueueEvent } from "./client/queue-event.ts";
export type { End, Served, Submission, Ticket, Unserved } from "./client/request.ts";
export type { BatchResult, OutgoingBatch, Target } from "./client/target.ts";
export { fcTransport } from "./client/targets/fc-transport.ts";
export type { HttpAuth } from "./client/targets/http-auth.ts";
export { httpTransport } from "./client/targets/http-transport.ts";
export { type ModelCall, modelTarget } from "./client/targets/model-target.ts";
export type { VirtualQueueOptions } from "./client/queue-options.ts";
export { VirtualQueue } from "./client/virtual-queue.ts";
export type { InferRequest, InferResponse } from "./protocol/message.ts";
export { stackKey } from "./protocol/stack.ts";
export { type Tensor, tensorFromNumbers, tensorToNumbers } from "./protocol/tensor.ts";
