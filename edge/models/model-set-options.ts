/** What a set of models is made of, and what it lists. */
import type { Logger } from "pino";
import type { EventList } from "../observe/events.ts";
import type { Observer } from "../observe/model-statistics.ts";
import type { ModelFile, ModelRunner } from "./model-runner.ts";
import type { Repository } from "./repository.ts";

export interface ModelSetOptions {
  readonly repository: Repository;
  /** Begins to load a model. */
  readonly open: (model: ModelFile) => ModelRunner;
  readonly observers: readonly Observer[];
  readonly events: EventList;
  readonly log: Logger;
}

/** A model that is to be loaded. */
export interface Candidate {
  readonly model: ModelFile;
  /** Called when it serves and the version before it has ended. */
  taken?(): Promise<void>;
  /** Called when it could not be loaded. */
  refused?(): Promise<void>;
}

/** An entry of the V2 repository index. */
export interface IndexEntry {
  readonly name: string;
  readonly version?: string;
  readonly state: "READY" | "LOADING" | "UNLOADING" | "UNAVAILABLE";
  readonly reason: string;
  /** It is loaded by its first request and may leave again, so that asking about it costs a load. */
  readonly on_demand?: true;
}
