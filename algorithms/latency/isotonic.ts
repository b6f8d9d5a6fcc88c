/** Isotonic regression: the nearest curve that never falls. A larger batch cannot take less time. */

interface Block {
  mean: number;
  weight: number;
  length: number;
}

/**
 * The non-decreasing sequence with the least weighted sum of squared differences from `values`, by pooling
 * adjacent violators (Ayer et al. 1955) in linear time.
 *
 * @param values in the order in which they must not fall
 * @param weights as many, each above 0
 * @throws RangeError when the lengths differ or a weight is not above 0
 */
export function isotonicFit(values: ArrayLike<number>, weights: ArrayLike<number>): Float64Array {
  if (values.length !== weights.length) {
    throw new RangeError(`there are ${values.length} values and ${weights.length} weights; allowed: as many`);
  }
  const blocks: Block[] = [];
  for (let i = 0; i < values.length; i++) {
    const weight = weights[i] as number;
    if (!(weight > 0)) throw new RangeError(`weight ${i} is ${weight}; allowed: above 0`);
    let block: Block = { mean: values[i] as number, weight, length: 1 };
    for (let last = blocks.at(-1); last !== undefined && last.mean >= block.mean; last = blocks.at(-1)) {
      blocks.pop();
      block = pooled(last, block);
    }
    blocks.push(block);
  }
  const fit = new Float64Array(values.length);
  let at = 0;
  for (const { mean, length } of blocks) {
    fit.fill(mean, at, at + length);
    at += length;
  }
  return fit;
}

function pooled(left: Block, right: Block): Block {
  const weight = left.weight + right.weight;
  return {
    mean: left.mean + (right.mean - left.mean) * (right.weight / weight),
    weight,
    length: left.length + right.length,
  };
}
