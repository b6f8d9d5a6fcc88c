/** A function's HTTP trigger, as CreateTrigger defines it: through it, requests reach the function as they are. */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { triggerMethods } from "../../prices/fc-limits.ts";
import { triggerAuths, type TriggerAuth } from "../fc-contract.ts";
import { readInput } from "./read-input.ts";

export interface HttpTrigger {
  readonly id: string;
  readonly name: string;
  readonly authType: TriggerAuth;
  readonly methods: readonly string[];
  readonly createdAtUnixMs: number;
  readonly modifiedAtUnixMs: number;
}

const qualifier = z.literal("LATEST", "LATEST (the local host has no other)").optional();

const createInput = z.looseObject({
  triggerName: z
    .string()
    .regex(/^[A-Za-z_][\w-]{0,127}$/, "letters, digits, - and _, not beginning with a digit or -"),
  triggerType: z.literal("http", "http (the local host has no other)"),
  triggerConfig: z.string("JSON as text"),
  qualifier,
});
const updateInput = z.looseObject({ triggerConfig: z.string("JSON as text").optional(), qualifier });

const config = z.looseObject({
  authType: z.enum(triggerAuths, triggerAuths.join(", ")).default("function"),
  methods: z
    .array(z.enum(triggerMethods, triggerMethods.join(", ")))
    .min(1)
    .default([...triggerMethods]),
});

export function newTrigger(
  given: { readonly name?: string; readonly authType: TriggerAuth; readonly methods?: readonly string[] },
  nowUnixMs: number,
): HttpTrigger {
  const times = { createdAtUnixMs: nowUnixMs, modifiedAtUnixMs: nowUnixMs };
  return { id: randomUUID(), name: "http", methods: triggerMethods, ...times, ...given };
}

/**
 * @param body CreateTriggerInput as JSON
 * @throws FcRefusal InvalidArgument that names field, value and what is allowed
 */
export function readTrigger(body: Uint8Array, nowUnixMs: number): HttpTrigger {
  const { triggerName: name, triggerConfig } = readInput(createInput, body);
  return newTrigger({ name, ...readConfig(triggerConfig) }, nowUnixMs);
}

/**
 * @param body UpdateTriggerInput as JSON
 * @throws FcRefusal InvalidArgument as `readTrigger`
 */
export function readTriggerUpdate(body: Uint8Array, old: HttpTrigger, nowUnixMs: number): HttpTrigger {
  const { triggerConfig } = readInput(updateInput, body);
  return {
    ...old,
    ...(triggerConfig !== undefined && readConfig(triggerConfig)),
    modifiedAtUnixMs: nowUnixMs,
  };
}

function readConfig(text: string): Pick<HttpTrigger, "authType" | "methods"> {
  const { authType, methods } = readInput(config, Buffer.from(text));
  return { authType, methods };
}
