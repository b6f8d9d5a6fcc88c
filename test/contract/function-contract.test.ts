/** The function that is built here, in each shape in which it can run, by the contract of a function. */
import { describe } from "vitest";
import { executable } from "../support/built.ts";
import { functionContract } from "./function-contract.ts";
import { hostedFunction, hostTriggeredFunction } from "./hosted-function.ts";
import { imitatedTriggerFunction, plainFunction } from "./started-function.ts";

const command = [process.execPath, executable, "function"];
const shapes = [hostedFunction, hostTriggeredFunction, plainFunction, imitatedTriggerFunction];
describe.each(shapes)("a function $name", (shape) => {
  functionContract(shape, { command });
});
