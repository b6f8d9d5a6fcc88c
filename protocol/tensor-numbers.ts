/** The numbers of a model's outputs as floats, halves too, which the protocol carries as bits. */
import { rawView } from "./datatype.ts";
import { fromHalf } from "./half.ts";
import { checkTensor, type Tensor, tensorToNumbers } from "./tensor.ts";

/** The value of each half by its bits; made when the first is read. */
let halves: Float32Array | undefined;

/**
 * The elements as floats of 32 bits, row by row; of FP32 in the same memory. ProtocolError for BYTES and BF16.
 *
 * @example
 * numbersOf({ name: "y", datatype: "FP16", shape: [2], data: new Uint8Array([0, 0x3c, 0, 0xc0]) }); // 1, -2
 */
export function numbersOf(tensor: Tensor): Float32Array {
  if (tensor.datatype !== "FP16") {
    const numbers = tensorToNumbers(tensor);
    return numbers instanceof Float32Array ? numbers : new Float32Array(numbers);
  }
  checkTensor(tensor);
  const values = (halves ??= Float32Array.from({ length: 65_536 }, (_, bits) => fromHalf(bits)));
  const bits = rawView("FP16", tensor.data);
  // A loop, because the models of a picture give a million numbers, and a function for each takes 0.3 s.
  const numbers = new Float32Array(bits.length);
  for (let index = 0; index < bits.length; index++) numbers[index] = values[bits[index] as number] as number;
  return numbers;
}
