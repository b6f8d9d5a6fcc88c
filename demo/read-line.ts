/**
 * Turns the two OCR models' raw outputs into answers. It is pure and stands apart from the models, so that a
 * demo can check the numbers a server sent without loading one.
 */

/**
 * Reads the direction of a line from one row of ocr-cls.
 *
 * @param probabilities two values: of 0 degrees, of 180 degrees
 * @returns whether the line is upside down
 * @throws RangeError if there are not two values, or one is not a number
 */
export function readDirection(probabilities: ArrayLike<number>): boolean {
  const [upright = Number.NaN, turned = Number.NaN] = Array.from(probabilities);
  if (probabilities.length !== 2 || Number.isNaN(upright) || Number.isNaN(turned)) {
    throw new RangeError(`probabilities must be two numbers, got [${Array.from(probabilities).join(", ")}]`);
  }
  return turned > upright;
}

/**
 * Makes the dictionary of ocr-rec from its key file: class 0 is the CTC blank, then one class a line, last the space.
 *
 * @param keys text of the key file (`ppocr_keys_v1.txt`, 6,623 lines), one character a line
 * @returns one string a class (6,625 for that file); the blank is the empty string
 */
export function readDictionary(keys: string): string[] {
  return ["", ...keys.replace(/\r?\n$/, "").split(/\r?\n/), " "];
}

/**
 * Reads a text from one row of ocr-rec: the likeliest class of each step, repeats merged, blanks dropped
 * (greedy CTC decoding: Graves et al. 2006, section 3.2, "best path").
 *
 * @param scores steps x classes values, logits or probabilities, step by step
 * @param steps number of time steps, a positive integer (an eighth of the picture's width)
 * @param classes number of classes; must be the dictionary's length
 * @param dictionary one string a class, the blank first, as from {@link readDictionary}
 * @returns the text, empty if every step is blank
 * @throws RangeError if the lengths do not match
 */
export function readText(
  scores: Float32Array,
  steps: number,
  classes: number,
  dictionary: readonly string[],
): string {
  if (dictionary.length !== classes) {
    throw new RangeError(`dictionary must hold ${classes} classes, got ${dictionary.length}`);
  }
  if (scores.length !== steps * classes) {
    throw new RangeError(`scores must hold ${steps} x ${classes} values, got ${scores.length}`);
  }
  let text = "";
  let previous = 0;
  for (let step = 0; step < steps; step += 1) {
    const best = indexOfMax(scores.subarray(step * classes, (step + 1) * classes));
    if (best !== previous) text += dictionary[best] ?? "";
    previous = best;
  }
  return text;
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
