/**
 * Spillway as a library: everything of which the daemon makes its queue, and the offline replay. The rest of the package is
 * reached through its command line.
 *
 * What is told apart by the folder that it comes from: the queue and its policies, how targets are reached, what is
 * measured of them, what they cost, the protocol, the replay.
 */
export type { Clock, Timer } from "./base/clock.ts";
export { type ErrorCode, errorKinds, SpillwayError } from "./base/errors.ts";
export { monotonicClock } from "./base/clock.ts";
export { UsageError } from "./base/usage-error.ts";

export { type FixedPlan, fixedPolicy } from "./client/policies/fixed.ts";
export type {
  Decision,
  EndedBatch,
  LineView,
  Policy,
  QueueView,
  ReleaseReason,
  SentBatch,
  WaitingRequest,
} from "./client/policies/policy.ts";
export type { PlanChange, PolicyInputs } from "./client/policies/policy-inputs.ts";
export {
  type ModelTimes,
  parseProfile,
  type Profile,
  type ProfiledTarget,
} from "./client/policies/profile.ts";
export { type Reason } from "./client/policies/reasons/reason.ts";
export { reasonText } from "./client/policies/reasons/reason-text.ts";
export { queueKey } from "./client/policies/queue-key.ts";
export { makePolicy, type PolicyListener, type QueuePolicy } from "./client/policies/make-policy.ts";

export type { QueueEvent } from "./client/queue/queue-event.ts";
export type { VirtualQueueOptions } from "./client/queue/queue-options.ts";
export type { End, Served, Submission, Ticket, Unserved } from "./client/queue/request.ts";
export { VirtualQueue } from "./client/queue/virtual-queue.ts";
export type { BatchPart, BatchResult, OutgoingBatch, Target, TargetKind } from "./client/targets/target.ts";
export { hasRoom, readyAtMs, type TargetHealth, type TargetView } from "./client/targets/target-view.ts";

export { fcTransport, type FcTransportOptions } from "./client/transports/fc-transport.ts";
export type { HttpAuth } from "./client/transports/http-auth.ts";
export {
  type HttpReply,
  type HttpTransport,
  httpTransport,
  type HttpTransportOptions,
} from "./client/transports/http-transport.ts";
export { modelTarget, type ModelTargetOptions } from "./client/transports/model-target.ts";
export type { ModelCall } from "./client/transports/model-call.ts";
export type { Transport, TransportReply } from "./client/transports/transport.ts";

export { Daemon } from "./client/daemon/daemon.ts";
export type { DaemonStatus } from "./client/daemon/daemon-health.ts";
export type { DaemonRequest } from "./client/daemon/daemon-request.ts";
export { openDaemon } from "./client/daemon/open-daemon.ts";
export { daemonOptions, type DaemonOptions } from "./client/daemon/options.ts";
export { assumedTimes, unmeasured } from "./client/daemon/profile/daemon-profile.ts";
export { calibrate, type CalibrationOptions } from "./client/daemon/profile/calibrate.ts";
export {
  describedModel,
  type DescribedModel,
  type ExampleModel,
  exampleOfZeros,
} from "./client/daemon/profile/example-input.ts";

export type { Handler, HandlerModel, Predict, Prepared } from "./edge/vision/handlers/handler.ts";
export type { HandlerTools, NormaliseOptions, ResizeOptions } from "./edge/vision/handlers/handler-tools.ts";

export { callCost, type FunctionSize, type PriceSheet } from "./serverless/prices/price.ts";
export { readPriceSheet, readShippedSheets } from "./serverless/prices/price-sheet-files.ts";

export type { InferRequest, InferResponse } from "./protocol/message.ts";
export { type Tensor, tensorFromNumbers, tensorToNumbers } from "./protocol/tensor.ts";

export { readWorld, type World } from "./replay/command/replay-world.ts";
export { policyWith } from "./replay/peers/registry.ts";
export { type ReplayOptions, replayTrace } from "./replay/run.ts";
export type { ReplaySummary } from "./replay/summary.ts";
export { type Scenario } from "./replay/world/scenario.ts";
