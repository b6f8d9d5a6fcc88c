/** What the numbers that a classifier gives say: probabilities, and the likeliest classes. */

/** exp(x_i) over their sum; the largest is subtracted first, so that none overflows. */
export function softmax(logits: ArrayLike<number>): Float32Array {
  const values = Float32Array.from(logits);
  const largest = values.reduce((most, value) => Math.max(most, value), -Infinity);
  const powers = values.map((value) => Math.exp(value - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

/** The largest scores with their classes, the largest first; of equal ones the lower class first. */
export function topClasses(
  scores: Float32Array,
  count: number,
): { readonly index: number; readonly score: number }[] {
  return Array.from(scores, (score, index) => ({ index, score }))
    .sort((a, b) => b.score - a.score || a.index - b.index)
    .slice(0, count);
}
