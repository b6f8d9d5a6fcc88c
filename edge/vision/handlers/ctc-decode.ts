/**
 * From the scores of a text reader to the text: greedy decoding of connectionist temporal classification (CTC). For the
 * server that reads pictures and for clients that get the raw scores.
 */

export interface CtcText {
  readonly text: string;
  /** Mean score of the characters, 0..1 where scores are probabilities. */
  readonly confidence: number;
}

/**
 * Reads a text from the scores of one line: the likeliest class of each step, repeats merged, blanks dropped
 * (greedy CTC decoding: Graves et al. 2006, section 3.2, "best path").
 *
 * Example: `decodeCtc(Float32Array.of(0, 1, 0, 0.5, 1, 0), 3, 2, ["", "a"])` is `{ text: "a", confidence: 1 }`.
 *
 * @param scores steps x classes values, logits or probabilities, step by step
 * @param steps number of time steps, a positive integer (an eighth of the picture's width)
 * @param classes number of classes; must be the dictionary's length
 * @param dictionary one string a class, the blank first
 * @returns the text, empty when every step is blank, and the mean score of its characters, 0 when there is none
 * @throws RangeError if the lengths do not match
 */
export function decodeCtc(
  scores: Float32Array,
  steps: number,
  classes: number,
  dictionary: readonly string[],
): CtcText {
  if (dictionary.length !== classes) {
    throw new RangeError(`dictionary has ${dictionary.length} classes; allowed: ${classes}`);
  }
  if (scores.length !== steps * classes) {
    throw new RangeError(`scores has ${scores.length} values; allowed: ${steps} x ${classes}`);
  }
  let text = "";
  let sum = 0;
  let characters = 0;
  let previous = 0;
  for (let step = 0; step < steps; step += 1) {
    const row = scores.subarray(step * classes, (step + 1) * classes);
    const best = indexOfMax(row);
    if (best !== previous && best !== 0) {
      text += dictionary[best] ?? "";
      sum += row[best] ?? 0;
      characters += 1;
    }
    previous = best;
  }
  return { text, confidence: characters === 0 ? 0 : sum / characters };
}

function indexOfMax(values: Float32Array): number {
  let best = 0;
  let bestValue = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index] ?? Number.NaN;
    if (value > bestValue) {
      best = index;
      bestValue = value;
    }
  }
  return best;
}
