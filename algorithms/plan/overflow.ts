/**
 * What a server cannot take although its mean rate suffices: arrivals come in clumps, and what may not wait any
 * longer must go elsewhere.
 */

export interface Overflow {
  /** Requests a millisecond that the server does not take, on average. */
  readonly perMs: number;
  /** How much less would overflow for a capacity higher by one: from 0 (idle) to 1 (overloaded). */
  readonly perCapacity: number;
}

/**
 * A queue whose work is a Brownian motion between an empty and a full waiting room: with drift m = arrivals -
 * capacity, variance s^2 and room W, the full room turns away m / (1 - exp(-2 m W / s^2)) (Harrison 1985,
 * Brownian Motion and Stochastic Flow Systems). Far below capacity that is next to nothing, far above it is arrivals - capacity.
 *
 * @param arrivalsPerMs at least 0
 * @param capacityPerMs at least 0
 * @param waitingRoom how many requests may wait, above 0
 * @param dispersion variance over mean of the counts, above 0; 1 for Poisson arrivals
 */
export function overflow(
  arrivalsPerMs: number,
  capacityPerMs: number,
  waitingRoom: number,
  dispersion = 1,
): Overflow {
  if (arrivalsPerMs === 0) return { perMs: 0, perCapacity: 0 };
  const drift = arrivalsPerMs - capacityPerMs;
  const scale = (2 * waitingRoom) / (dispersion * arrivalsPerMs);
  const x = scale * drift;
  if (Math.abs(x) < 1e-4) return { perMs: (1 + x / 2) / scale, perCapacity: 0.5 + x / 6 };
  if (x < -500) return { perMs: 0, perCapacity: 0 };
  const stays = -Math.expm1(-x);
  return {
    perMs: Math.min(arrivalsPerMs, drift / stays),
    perCapacity: (stays - x * Math.exp(-x)) / stays ** 2,
  };
}
