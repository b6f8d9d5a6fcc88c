/** Whose fault it is when ONNX Runtime fails a run: of the inputs that the caller sent, or of the model and its server. */
import { ProtocolError } from "../../protocol/errors.ts";

/** Refused before the first node runs. */
const unfit =
  /^(Invalid rank for input|Got invalid dimensions for input|Unexpected input data type|Missing Input)/;
/** What a node says of data that no model can do anything about: sizes that do not go together, an index beyond the end. */
const aboutData =
  /out of (data )?bounds?|within bounds|out of range|invalid ind(ex|ice)|dimension|broadcast|reshape|\b(shape|rank)\b/i;
/** What it says when the machine is at its end. */
const aboutMachine = /alloc|memory|CUDA|device/i;

/**
 * The error to answer with: 400 when another input would have done, else 500.
 *
 * @param message what ONNX Runtime said
 * @param hasEmpty whether an input has no elements, which many nodes fail on, some of them without a word
 */
export function runFault(model: string, message: string, hasEmpty = false): ProtocolError {
  const said = /Status Message: (.*)/s.exec(message)?.[1];
  const isAboutData = said !== undefined && (hasEmpty || aboutData.test(said)) && !aboutMachine.test(said);
  const isInput = unfit.test(message) || isAboutData;
  if (!isInput) return new ProtocolError(`model ${model} failed: ${message}`, 500);
  return new ProtocolError(`the inputs do not suit model ${model}: ${message}`, 400);
}
