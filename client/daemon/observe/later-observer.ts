/**
 * Tells an observer of events a moment later, for what no answer needs: the log and the live page. While a batch is under way
 * the daemon has to wait anyway, so that is when its observers work; without one, they do after 10 ms at the latest.
 *
 *     const later = new LaterObserver(observeAll([new QueueLog(log), dashboard]));
 *     later.observe(event); // of every event, in order
 *     later.catchUp(); // before somebody looks at what the observer knows
 */
import type { QueueEvent } from "../../queue/queue-event.ts";
import type { PlanRecord, QueueObserver } from "./observer.ts";

/** Longest time until an event is passed on while nothing is sent, in milliseconds. */
const latestMs = 10;
/** Most events that wait. */
const mostWaiting = 1_024;

export class LaterObserver implements QueueObserver {
  readonly #observer: QueueObserver;
  #waiting: (QueueEvent | PlanRecord)[] = [];
  #isSoon = false;
  #isLater = false;

  constructor(observer: QueueObserver) {
    this.#observer = observer;
  }

  observe(event: QueueEvent | PlanRecord): void {
    this.#waiting.push(event);
    if (this.#waiting.length >= mostWaiting) return this.catchUp();
    if (event.kind === "batch") this.#soon();
    else if (!this.#isLater) {
      this.#isLater = true;
      setTimeout(() => {
        this.#isLater = false;
        this.catchUp();
      }, latestMs).unref();
    }
  }

  /** Passes on all that waits. */
  catchUp(): void {
    const events = this.#waiting;
    if (events.length === 0) return;
    this.#waiting = [];
    for (const event of events) this.#observer.observe(event);
  }

  /** Once the batch is on its way, which it is when the code that sends it has returned and what it put off was done. */
  #soon(): void {
    if (this.#isSoon) return;
    this.#isSoon = true;
    process.nextTick(() =>
      setImmediate(() => {
        this.#isSoon = false;
        this.catchUp();
      }),
    );
  }
}
