/** Bad input: a trace or scenario that is not what it must be. The message names the file and the place in it. */
export class InputError extends Error {
  /**
   * @param file name of the file
   * @param place where in it: `line:column`, or the path of a field; empty when it is the whole file
   */
  constructor(file: string, place: string, why: string) {
    super(place === "" ? `${file}: ${why}` : `${file}:${place}: ${why}`);
    this.name = "InputError";
  }
}
