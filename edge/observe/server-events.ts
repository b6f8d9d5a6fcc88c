/** What has happened to the models of a server as a whole: a bounded list, to which those of each model are added. */
import type { ModelEvent, ModelStatus } from "../models/model-status.ts";

/** Most events that are kept; the oldest go first. */
const mostEvents = 500;
/** Longest text of an event, in characters. */
const longestText = 500;

export interface ServerEvent extends ModelEvent {
  readonly model: string;
}

export class ServerEvents {
  #events: ServerEvent[] = [];

  add(model: string, text: string): void {
    const event = { atUnixMs: Date.now(), model, text: text.slice(0, longestText) };
    this.#events = [event, ...this.#events.slice(0, mostEvents - 1)];
  }

  /** Newest first, those of models' own status among them. */
  newest(statuses: readonly ModelStatus[]): ServerEvent[] {
    const ofModels = statuses.flatMap(({ name, events }) =>
      events.map((event) => ({ ...event, model: name })),
    );
    return [...this.#events, ...ofModels].sort((a, b) => b.atUnixMs - a.atUnixMs).slice(0, mostEvents);
  }
}
