/** A way for requests beside the daemon's own queue. */
import type { Abortable } from "../../base/program/hang-up.ts";
import type { InferResponse } from "../../protocol/message.ts";
import type { Served } from "../queue/request.ts";
import type { DaemonRequest } from "./daemon-request.ts";

/** Where requests go instead of the daemon's own queue, to come back to it, or to another's, when their turn comes. */
export interface RequestRoute {
  /** As `Daemon.submit`; `withinMs` is the time to the deadline. */
  submit(call: DaemonRequest, withinMs: number, callerLeft: Abortable): Promise<Served<InferResponse>>;
  /** Whether somebody beside this daemon's targets serves a model. */
  knows(model: string): Promise<boolean>;
}
