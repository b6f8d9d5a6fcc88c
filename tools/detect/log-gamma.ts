/** The logarithm of the gamma function: what the densities of this folder are normalised with. */

/** Lanczos coefficients for g = 7 and nine terms (P. Godfrey, 2001). */
const g = 7;
const coefficients = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];

/**
 * ln of the gamma function for a positive argument, by Lanczos (1964); relative error below 1e-13.
 *
 * @throws RangeError when `x` is not above 0
 */
export function logGamma(x: number): number {
  if (!(x > 0)) throw new RangeError(`x is ${x}; allowed: above 0`);
  let sum = coefficients[0] as number;
  for (let i = 1; i < coefficients.length; i++) sum += (coefficients[i] as number) / (x + i - 1);
  const shifted = x + g - 0.5;
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(shifted) - shifted + Math.log(sum);
}
