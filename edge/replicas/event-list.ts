/** The last things that happened to a model: a bounded list. */
import type { ModelEvent } from "../models/model-status.ts";

/** Most events that are kept; the oldest go first. */
const mostEvents = 100;
/** Longest text of an event, in characters. */
const longestText = 500;

export class EventList {
  #events: ModelEvent[] = [];

  add(text: string, replica?: number): void {
    const event = { atUnixMs: Date.now(), replica, text: text.slice(0, longestText) };
    this.#events = [event, ...this.#events.slice(0, mostEvents - 1)];
  }

  /** Newest first. */
  get newest(): readonly ModelEvent[] {
    return this.#events;
  }
}
