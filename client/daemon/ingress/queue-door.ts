/** The queue's short way in for inference, beside the route of the app that does the same for all that is unusual. */
import { type AccessGate, countRowsOf, keyNameOf } from "../../../base/access/access-gate.ts";
import { requestIdHeader, withinHeader } from "../../../protocol/message.ts";
import { headerOf, type InferCall, InferDoor } from "../../../protocol/server/infer-door.ts";
import type { ReadRoom } from "../../../protocol/server/read-body.ts";
import { traceContextOf } from "../../../protocol/trace-context.ts";
import type { Daemon } from "../daemon.ts";
import { laneHeader, type LaneHints, tenantHeader } from "../lanes.ts";
import type { InferAnswers } from "./answer-infer.ts";
import { withRetryAfter } from "./served-answer.ts";

export interface QueueDoorOptions {
  readonly gate: AccessGate;
  readonly answers: InferAnswers;
  readonly maxBodyBytes: number;
  /** For the bodies that are being read. */
  readonly room: ReadRoom;
  readonly onFault: (error: Error) => void;
}

/** Takes requests for models that are known to be there; a name that must be looked up first is left to the app. */
export function createQueueDoor(daemon: Daemon, options: QueueDoorOptions): InferDoor<string> {
  const { gate, answers, maxBodyBytes, room, onFault } = options;
  const { metrics, recent } = daemon;
  return new InferDoor<string>({
    gate,
    maxBytes: maxBodyBytes,
    room,
    nowMs: () => performance.now(),
    find: (model, version) => (version === undefined ? daemon.knownModel(model) : undefined),
    infer: async (call, body, model) => {
      const { head, hungUp } = call;
      let isTold = false;
      const tell = (id: string): void => {
        isTold = true;
        call.answerHeaders.push(requestIdHeader, id);
      };
      try {
        return await answers.answer({
          model,
          body,
          hints: hintsOf(call),
          within: headerOf(head, withinHeader),
          gone: hungUp,
          signal: () => hungUp.signal,
          onRows: (rows) => countRowsOf(call.caller, rows),
          onNumber: (request) => tell(recent.idOf(request)),
          onId: tell,
        });
      } catch (error) {
        if (!isTold) tell(recent.turnedAway(error));
        throw withRetryAfter(error);
      }
    },
    onFault,
    onAnswer: (status) => metrics.answered(status),
  });
}

function hintsOf({ head, caller }: InferCall): LaneHints {
  const parent = headerOf(head, "traceparent");
  return {
    lane: headerOf(head, laneHeader),
    tenant: headerOf(head, tenantHeader),
    key: keyNameOf(caller),
    trace: parent === undefined ? undefined : traceContextOf(parent, headerOf(head, "tracestate")),
  };
}
