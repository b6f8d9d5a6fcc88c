/**
 * Turns the direction model's raw output into an answer. It is pure and stands apart from the model, so that a
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
