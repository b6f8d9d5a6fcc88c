/**
 * The most probable segmentation of a whole series, read backwards from the run-length posteriors of its prefixes. It
 * follows the R package `ocp` (read-out "maxCPs") exactly, because published scores were made with it.
 */
import { RunLengthPosterior } from "./run-length-posterior.ts";

/** The package's prior for standardised series, and the tail that it cuts. */
const prior = { mean: 0, kappa: 1, alpha: 1, beta: 1 };
const tailMass = 1e-4;
/** The package takes logarithms of masses of at least the smallest positive number. */
const logFloor = Math.log(2.3e-308);

/**
 * The first index of each new segment, ascending, from 1 to the last index of the series.
 *
 * @param series at least one finite value
 * @param hazard mean length of a segment in values, above 1
 * @throws RangeError when a value is not finite or the hazard is outside its range
 */
export function mapSegmentation(series: readonly number[], hazard = 100): number[] {
  const posterior = new RunLengthPosterior({ prior, hazard, tailMass });
  // best[t + 1] is for the first t values: the package steps one value too far back, to t - r - 1 >= -1.
  const best = [0, 0];
  const bestRun = [0];
  for (const value of standardised(series)) {
    posterior.observe(value);
    const seen = bestRun.length;
    let most = -Infinity;
    let run = 0;
    posterior.logMass.forEach((mass, length) => {
      const score = Math.max(mass, logFloor) + (best[seen - length] as number);
      if (score < most) return;
      most = score;
      run = length;
    });
    best.push(most);
    bestRun.push(run);
  }
  return walkBack(bestRun);
}

function walkBack(bestRun: readonly number[]): number[] {
  const starts: number[] = [];
  for (let seen = bestRun.length - 1; seen > 0;) {
    const start = seen - (bestRun[seen] as number);
    if (start >= 1 && start < bestRun.length - 1) starts.unshift(start);
    seen = start - 1;
  }
  return starts;
}

/** Mean 0 and sample standard deviation 1; a constant series becomes zeros. */
function standardised(series: readonly number[]): number[] {
  const mean = series.reduce((sum, value) => sum + value, 0) / series.length;
  const squares = series.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const deviation = Math.sqrt(squares / (series.length - 1));
  return series.map((value) => (squares > 0 ? (value - mean) / deviation : 0));
}
