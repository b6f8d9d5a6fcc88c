/** Bounded lists of what happened to models, for people who look after a server. */

export interface ModelEvent {
  /** Wall-clock time in milliseconds since 1970. */
  readonly atUnixMs: number;
  readonly model?: string;
  /** Undefined when the event concerns the model as a whole. */
  readonly replica?: number;
  readonly text: string;
}

/** Longest text of an event, in characters. */
const longestText = 500;

export class EventList {
  readonly #mostEvents: number;
  #events: ModelEvent[] = [];

  /** @param mostEvents when there are more, the oldest are dropped */
  constructor(mostEvents: number) {
    this.#mostEvents = mostEvents;
  }

  add(text: string, about: Pick<ModelEvent, "model" | "replica"> = {}): void {
    const event = { atUnixMs: Date.now(), ...about, text: text.slice(0, longestText) };
    this.#events = [event, ...this.#events.slice(0, this.#mostEvents - 1)];
  }

  /** Newest first. */
  get newest(): readonly ModelEvent[] {
    return this.#events;
  }
}
