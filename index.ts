/**
 * Spillway as a library: the virtual queue, the fixed plan, the targets it sends to and the clock it runs on.
 * Everything else of the package is reached through its command line.
 */
export type { Clock, Timer } from "./base/clock.ts";
export { type ErrorCode, SpillwayError } from "./base/errors.ts";
export { monotonicClock } from "./base/monotonic-clock.ts";
export { type FixedPlan, fixedPolicy } from "./client/policies/fixed.ts";
export type { Decision, LineView, Policy, QueueView, WaitingRequest } from "./client/policies/policy.ts";
export type { QueueEvent } from "./client/queue/queue-event.ts";
export type { End, Served, Submission, Ticket, Unserved } from "./client/queue/request.ts";
export type { BatchResult, OutgoingBatch, Target } from "./client/targets/target.ts";
export { fcTransport } from "./client/transports/fc-transport.ts";
export type { HttpAuth } from "./client/transports/http-auth.ts";
export { httpTransport } from "./client/transports/http-transport.ts";
export { type ModelCall, modelTarget } from "./client/transports/model-target.ts";
export type { VirtualQueueOptions } from "./client/queue/queue-options.ts";
export { VirtualQueue } from "./client/queue/virtual-queue.ts";
export type { InferRequest, InferResponse } from "./protocol/message.ts";
export { stackKey } from "./protocol/stack.ts";
export { type Tensor, tensorFromNumbers, tensorToNumbers } from "./protocol/tensor.ts";
