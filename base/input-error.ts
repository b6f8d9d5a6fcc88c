import { UsageError } from "./usage-error.ts";

/** An error in an input file, such as a trace or a scenario. The message names the file and the place in it. */
export class InputError extends UsageError {
  /**
   * @param file name of the file
   * @param place where in it: `line:column`, or the path of a field; empty for the whole file
   */
  constructor(file: string, place: string, why: string) {
    super(place === "" ? `${file}: ${why}` : `${file}:${place}: ${why}`);
    this.name = "InputError";
  }
}
