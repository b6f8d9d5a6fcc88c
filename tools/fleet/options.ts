/** The options of `up`, `status` and `down`, each with its meaning, unit, range and default. */
import { z } from "zod";
import { flag, positive, text } from "../../base/program/option-fields.ts";

const state = text
  .default(".spillway")
  .describe("folder for the state of the fleet, and for the options and logs of its programs");

export const upOptions = z.strictObject({
  file: text.describe("YAML file that lists the programs").meta({ short: "f" }),
  state,
  wait: positive(3_600)
    .default(120)
    .describe("longest time until a program is ready, in seconds from its start"),
});

export const statusOptions = z.strictObject({
  state,
  json: flag.describe("print the list as one JSON document on stdout"),
});

export const downOptions = z.strictObject({ state });

export type UpOptions = z.output<typeof upOptions>;
export type StatusOptions = z.output<typeof statusOptions>;
export type DownOptions = z.output<typeof downOptions>;
