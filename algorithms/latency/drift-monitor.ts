/**
 * Notices that a target as a whole has become slower or faster than its model says: throttled, hotter, a
 * neighbour gone. The model's own windows would need a window's worth of batches of every size to see it.
 */
import { medianOf } from "./quantile.ts";

export interface DriftOptions {
  /** Observations from which the usual spread is known, an integer from 8. Default 256. */
  readonly window?: number;
  /** Drift that is not worth noticing, in spreads, above 0. Default 0.5. */
  readonly slack?: number;
  /** Evidence that raises an alarm, in spreads, above 0. Default 13.5. */
  readonly threshold?: number;
}

/** The target has drifted: its times are now about `factor` times what was predicted. */
export interface Drift {
  readonly factor: number;
  /** On how many observations the factor rests: those since it most likely began, at most 16. */
  readonly observations: number;
}

/** Before that many observations the spread is assumed, not measured. */
const firstSpreadAfter = 32;
const assumedSpread = 0.25;
/** Times that hardly vary would make every trifle an alarm: 2 % is the least spread taken. */
const leastSpread = 0.02;
/** One observation counts at most this many spreads, so that a lone outlier raises no alarm. */
const mostSpreads = 4;
const mostEvidence = 16;

/**
 * A two-sided cumulative sum (Page 1954) over x = ln(observed / predicted median) in units of its usual spread
 * (1.4826 times the median absolute deviation from the median over the window), each bounded at 4 units: up <- max(0, up + x -
 * slack), down <- max(0, down - x - slack), alarm when one exceeds the threshold. After an alarm it begins anew,
 * and the owner rescales the model by the factor; if it does not, the alarm comes again.
 *
 * Measured with the defaults over log-normal times with a spread of 0.1 (drift-monitor.test.ts): no more than
 * one false alarm in 100,000 observations, times doubled or halved noticed within 4, a change by 1.2 within 25.
 */
export class DriftMonitor {
  readonly #window: number;
  readonly #slack: number;
  readonly #threshold: number;
  /** The last logarithms, oldest first from `#next` on. */
  readonly #usual: number[] = [];
  #next = 0;
  #spread = assumedSpread;
  #sinceSpread = 0;
  readonly #up = new Evidence();
  readonly #down = new Evidence();

  /** @throws RangeError when an option is outside its range */
  constructor({ window = 256, slack = 0.5, threshold = 13.5 }: DriftOptions = {}) {
    if (!(Number.isInteger(window) && window >= 8)) {
      throw new RangeError(`window is ${window}; allowed: an integer from 8`);
    }
    if (!(slack > 0 && slack < mostSpreads)) {
      throw new RangeError(`slack is ${slack}; allowed: above 0 and below ${mostSpreads}`);
    }
    if (!(threshold > 0 && threshold < Infinity)) {
      throw new RangeError(`threshold is ${threshold}; allowed: above 0`);
    }
    this.#window = window;
    this.#slack = slack;
    this.#threshold = threshold;
  }

  /**
   * @param observedMs time a batch took, above 0
   * @param predictedMs the median that was predicted for it, above 0
   * @returns what was noticed with this observation, if anything
   * @throws RangeError when a time is not above 0
   */
  observe(observedMs: number, predictedMs: number): Drift | undefined {
    for (const [name, value] of [
      ["observedMs", observedMs] as const,
      ["predictedMs", predictedMs] as const,
    ]) {
      if (!(value > 0 && value < Infinity)) throw new RangeError(`${name} is ${value}; allowed: above 0`);
    }
    const residual = Math.log(observedMs / predictedMs);
    const units = Math.min(mostSpreads, Math.max(-mostSpreads, residual / this.#spread));
    this.#up.add(units - this.#slack, residual);
    this.#down.add(-units - this.#slack, residual);
    const found = [this.#up, this.#down].find(({ sum }) => sum > this.#threshold);
    if (found !== undefined) {
      const recent = sinceShift(found.residuals);
      const drift = { factor: Math.exp(medianOf(recent)), observations: recent.length };
      this.#up.reset();
      this.#down.reset();
      return drift;
    }
    this.#remember(residual);
    return undefined;
  }

  /** The spread is measured again every 16 observations; until 32 have come it is assumed. */
  #remember(residual: number): void {
    this.#usual[this.#next] = residual;
    this.#next = (this.#next + 1) % this.#window;
    this.#sinceSpread++;
    if (this.#usual.length < Math.min(firstSpreadAfter, this.#window) || this.#sinceSpread < 16) return;
    this.#sinceSpread = 0;
    const middle = medianOf(this.#usual);
    this.#spread = Math.max(leastSpread, 1.4826 * medianOf(this.#usual.map((x) => Math.abs(x - middle))));
  }
}

/** The last residuals whose mean differs most clearly from 0: those with the largest sum^2 / count. */
function sinceShift(residuals: readonly number[]): number[] {
  let start = 0;
  let most = -1;
  let sum = 0;
  for (let at = residuals.length - 1; at >= 0; at--) {
    sum += residuals[at] as number;
    const clarity = sum ** 2 / (residuals.length - at);
    if (clarity > most) {
      most = clarity;
      start = at;
    }
  }
  return residuals.slice(start);
}

/** One side's sum, and the last residuals since it left 0. */
class Evidence {
  sum = 0;
  readonly residuals: number[] = [];

  add(units: number, residual: number): void {
    this.sum = Math.max(0, this.sum + units);
    if (this.sum === 0) this.residuals.length = 0;
    else this.residuals.push(residual);
    if (this.residuals.length > mostEvidence) this.residuals.shift();
  }

  reset(): void {
    this.sum = 0;
    this.residuals.length = 0;
  }
}
