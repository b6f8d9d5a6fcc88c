/** The function that is built here, in each shape in which it can run, by the contract of a function. */
import { describe } from "vitest";
import { executable } from "../built.ts";
import { functionContract } from "./function-contract.ts";
import { hostedFunction } from "./hosted-function.ts";
import { plainFunction, triggeredFunction } from "./started-function.ts";

const command = [process.execPath, executable, "function"];
describe.each([hostedFunction, plainFunction, triggeredFunction])("a function $name", (shape) => {
  functionContract(shape, { command });
});
