/**
 * The last values of each device of a rule. Bounded in devices and bytes: the device that was silent longest is forgotten.
 * In memory only: after a restart every window fills again.
 */
import { SideField } from "../../../../../../base/memory/side-field.ts";
import type { MqttMessage } from "../message.ts";
import type { RuleState } from "../compiled-rule.ts";
import type { InputValue } from "./value-source.ts";

/** The values of one message: for each windowed input a row. */
export type StepRows = readonly (readonly InputValue[])[];

export interface WindowBounds {
  readonly mostDevices: number;
  readonly mostBytes: number;
  /** A value older than this, against the message that asks, counts no more. */
  readonly maxAgeMs: number | undefined;
  /** Messages that the largest window has. */
  readonly steps: number;
}

/** What tells a message of a device from the others. */
export interface StepMark {
  readonly mark: string;
  /** Whether a message with the mark of one that was counted is that one again. */
  readonly mayBeAgain: boolean;
}

interface Step {
  readonly mark: string;
  readonly atMs: number;
  readonly rows: StepRows;
}

interface Device {
  readonly steps: Step[];
  bytes: number;
}

/**
 * Steps that are kept beside those of the window, so that a message which is delivered again, after others came, still has
 * the window that it had.
 */
const stepsBeside = 64;
/** Memory of a step, a device and a value beside what they hold, in bytes. */
const stepBytes = 120;
const deviceBytes = 200;
const valueBytes = 16;

export class DeviceWindows implements RuleState {
  readonly #bounds: WindowBounds;
  /** The one that was silent longest is first. */
  readonly #devices = new Map<string, Device>();
  /** Messages that are in work, so that one is never counted twice. */
  readonly #marks = new SideField<MqttMessage, string>();
  #bytes = 0;
  #forgotten = 0;

  constructor(bounds: WindowBounds) {
    this.#bounds = bounds;
  }

  get devices(): number {
    return this.#devices.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get forgotten(): number {
    return this.#forgotten;
  }

  /**
   * Counts the message, unless it was counted before.
   *
   * @returns the steps of its window that end with it, the oldest first; fewer than the window has as long as it fills
   */
  take(message: MqttMessage, device: string, { mark, mayBeAgain }: StepMark, rows: StepRows): StepRows[] {
    const entry = this.#devices.get(device) ?? { steps: [], bytes: deviceBytes + 2 * device.length };
    if (!this.#devices.has(device)) this.#bytes += entry.bytes;
    // Set again, so that it is the last.
    this.#devices.delete(device);
    this.#devices.set(device, entry);
    const isAgain = mayBeAgain || this.#marks.get(message) === mark;
    let at = isAgain ? entry.steps.findLastIndex((step) => step.mark === mark) : -1;
    if (at < 0) {
      at = entry.steps.push({ mark, atMs: message.receivedMs, rows }) - 1;
      this.#grow(entry, bytesOf(mark, rows));
      while (entry.steps.length > this.#bounds.steps + stepsBeside) {
        this.#dropOldest(entry);
        at--;
      }
    }
    this.#marks.set(message, mark);
    const window = this.#windowTo(entry, at);
    this.#forget();
    return window;
  }

  /** Up to the step; where the first steps of its window are gone, the oldest window that is left. */
  #windowTo({ steps }: Device, at: number): StepRows[] {
    const { maxAgeMs = Number.POSITIVE_INFINITY, steps: wanted } = this.#bounds;
    const isFull = steps.length >= wanted + stepsBeside;
    const end = isFull ? Math.max(at + 1, wanted) : at + 1;
    const oldestMs = (steps[end - 1] as Step).atMs - maxAgeMs;
    return steps
      .slice(Math.max(0, end - wanted), end)
      .filter(({ atMs }) => atMs >= oldestMs)
      .map(({ rows }) => rows);
  }

  #grow(device: Device, bytes: number): void {
    device.bytes += bytes;
    this.#bytes += bytes;
  }

  #dropOldest(device: Device): void {
    const step = device.steps.shift();
    if (step !== undefined) this.#grow(device, -bytesOf(step.mark, step.rows));
  }

  #forget(): void {
    const { mostDevices, mostBytes } = this.#bounds;
    for (const [name, { bytes }] of this.#devices) {
      if (this.#devices.size <= mostDevices && this.#bytes <= mostBytes) return;
      this.#devices.delete(name);
      this.#bytes -= bytes;
      this.#forgotten++;
    }
  }
}

function bytesOf(mark: string, rows: StepRows): number {
  return stepBytes + 2 * mark.length + rows.reduce((sum, row) => sum + valueBytes * row.length, 0);
}
