/** What is done with the scores of classes, in built-in handlers and as tools of handlers of one's own. */

export interface RankedClass {
  readonly index: number;
  readonly score: number;
}

/**
 * exp(x_i) over their sum. The largest is subtracted first, so that none overflows.
 *
 * @example
 * softmax([0, Math.log(3)]); // 0.25, 0.75
 */
export function softmax(logits: ArrayLike<number>): Float32Array {
  const values = Float32Array.from(logits);
  const largest = values.reduce((most, value) => Math.max(most, value), -Infinity);
  const powers = values.map((value) => Math.exp(value - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

/**
 * The largest scores with their classes, the largest first; of equal ones the lower class first.
 *
 * @param count at most so many
 *
 * @example
 * topK([0.25, 0.5, 0.25], 2); // [{ index: 1, score: 0.5 }, { index: 0, score: 0.25 }]
 */
export function topK(scores: ArrayLike<number>, count: number): RankedClass[] {
  return Array.from(scores, (score, index) => ({ index, score }))
    .sort((a, b) => b.score - a.score || a.index - b.index)
    .slice(0, count);
}
