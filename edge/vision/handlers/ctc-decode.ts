/** From the scores of a text reader to the text, for the server and for clients that get the raw scores. */

export interface CtcText {
  readonly text: string;
  /** Mean score of the characters, 0..1 where scores are probabilities. */
  readonly confidence: number;
}

/**
 * Greedy decoding of connectionist temporal classification (Graves et al. 2006, section 3.2): the likeliest class of
 * each step, repeats merged, blanks dropped. Throws a RangeError if the lengths do not match.
 *
 * @param scores steps x classes values, logits or probabilities, step by step
 * @param dictionary one string a class, the blank first
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

/** The first of the largest values; 0 when there is none. */
export function indexOfMax(values: Float32Array): number {
  let best = 0;
  for (let index = 1; index < values.length; index++) {
    if ((values[index] as number) > (values[best] as number)) best = index;
  }
  return best;
}
