/** What the queue has found out about one model. */
import { Lru } from "../../../base/memory/lru.ts";
import type { StatedRule } from "./stated-rule.ts";

/** Most shapes of a model that are remembered as joined. */
const mostShapes = 1_024;

export interface KnownModel {
  stated: StatedRule | undefined;
  /** By edge: what it said last. One that is away may come back and get batches before it is asked again. */
  readonly said: Map<number, StatedRule>;
  /** By edge: how often it had been gone when it was asked the question that it answered last. */
  readonly heard: Map<number, number>;
  /** By edge: what its metadata was when it answered last. */
  readonly prints: Map<number, string>;
  /** Edges that serve the model and do not say whether it joins. */
  unsure: readonly number[];
  /** Shapes that may be joined, where answers say it for each. */
  shapes: Lru<string, boolean>;
  askedAtMs: number;
  asking: Promise<void> | undefined;
  /** Most rows that were answered together, and until when that holds. */
  taught: { readonly mostRows: number; readonly untilMs: number };
  /** Why its rows must not be joined, as a batch has shown. */
  mixed: string | undefined;
  isReported: boolean;
}

export function unknownModel(): KnownModel {
  return {
    stated: undefined,
    said: new Map(),
    heard: new Map(),
    prints: new Map(),
    unsure: [],
    shapes: shapesOfModel(),
    askedAtMs: -Infinity,
    asking: undefined,
    taught: { mostRows: Infinity, untilMs: -Infinity },
    mixed: undefined,
    isReported: false,
  };
}

export function shapesOfModel(): Lru<string, boolean> {
  return new Lru(mostShapes);
}
