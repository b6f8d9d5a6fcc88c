/** The edge's short way in for inference, beside the route of the app that does the same for all that is unusual. */
import type { Logger } from "pino";
import { type AccessGate, countRowsOf } from "../../base/access/access-gate.ts";
import { shortened } from "../../base/error-text.ts";
import { inOnePiece } from "../../protocol/decode.ts";
import { binaryWanted, encodeResponseParts } from "../../protocol/encode.ts";
import { checkNoSequence, type InferRequest, type WireParts, withinHeader } from "../../protocol/message.ts";
import { type InferCall, InferDoor, headerOf } from "../../protocol/server/infer-door.ts";
import {
  isLongToRead,
  isLongToWrite,
  type MessageCodec,
  mostQuickBytes,
} from "../../protocol/server/message-codec.ts";
import type { ReadRoom } from "../../protocol/server/read-body.ts";
import { RequestReader } from "../../protocol/server/request-reader.ts";
import type { ExampleBook } from "../example/example-book.ts";
import type { ModelRunner, RunLimits } from "../models/model-runner.ts";
import { logFault } from "./app.ts";
import { arrivalMs, deadlineOf, infer } from "./infer.ts";

export interface EdgeDoorOptions {
  /** The models to serve; may change. */
  readonly models: { find(name: string): ModelRunner | undefined };
  readonly examples: ExampleBook;
  readonly codec: MessageCodec;
  readonly gate: AccessGate | undefined;
  readonly maxBodyBytes: number;
  readonly room: ReadRoom;
  readonly log: Logger;
}

export function createEdgeDoor(options: EdgeDoorOptions): InferDoor<ModelRunner> {
  const { models, examples, codec, gate, maxBodyBytes, room, log } = options;
  const reader = new RequestReader();
  const read = (
    body: WireParts,
    call: InferCall,
    runner: ModelRunner,
  ): InferRequest | Promise<InferRequest> => {
    const { headerBytes = 0 } = body;
    if (headerBytes > 0 && headerBytes <= mostQuickBytes) return reader.read(body);
    const { parts, ...rest } = body;
    const wire = { body: inOnePiece(parts), ...rest };
    return codec.read(wire, runner.metadata, isLongToRead(wire) ? call.hungUp.signal : undefined);
  };
  return new InferDoor<ModelRunner>({
    gate,
    maxBytes: maxBodyBytes,
    room,
    nowMs: arrivalMs,
    find: (name, version) => {
      const runner = models.find(name);
      // One that must be loaded first is waited for without its body in memory.
      if (runner?.metadata === undefined && runner?.isOnDemand === true) return undefined;
      return version === undefined || version === runner?.model.version ? runner : undefined;
    },
    refuse: ({ bodyBytes = 0 }, runner) => runner.checkRoom(bodyBytes),
    infer: async (call, body, runner) => {
      const reading = read(body, call, runner);
      // What is there already is not waited for, which would be another turn of promises.
      const request = reading instanceof Promise ? await reading : reading;
      call.id = request.id;
      checkNoSequence(request);
      countRowsOf(call.caller, request.inputs[0]?.shape[0] ?? 1);
      const response = await infer(runner, request, limitsOf(request, call));
      examples.answered(runner.model, request);
      if (isLongToWrite(response, request)) {
        const { body: whole, ...rest } = await codec.write(response, request, call.hungUp.signal);
        return { parts: [whole], ...rest };
      }
      return encodeResponseParts(response, binaryWanted(request));
    },
    onFault: (error, { model, id }) =>
      logFault(log, { model, ...(id !== undefined && { id: shortened(id) }) }, error),
  });
}

function limitsOf(request: InferRequest, { arrivedAtMs, head, hungUp }: InferCall): RunLimits {
  return { ...deadlineOf(request, arrivedAtMs, headerOf(head, withinHeader)), hungUp };
}
