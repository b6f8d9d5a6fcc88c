/** A function's HTTP trigger, as CreateTrigger and UpdateTrigger define it. */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { triggerAuths, triggerMethods, type TriggerAuth } from "../../prices/fc-limits.ts";
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

const configInput = z.looseObject({
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

/** From CreateTriggerInput as JSON. Throws an FcRefusal InvalidArgument. */
export function readTrigger(body: Uint8Array, nowUnixMs: number): HttpTrigger {
  const { triggerName: name, triggerConfig } = readInput(createInput, body);
  return newTrigger({ name, ...readTriggerConfig(triggerConfig) }, nowUnixMs);
}

/** From UpdateTriggerInput as JSON. Throws an FcRefusal InvalidArgument. */
export function readTriggerUpdate(body: Uint8Array, old: HttpTrigger, nowUnixMs: number): HttpTrigger {
  const { triggerConfig } = readInput(updateInput, body);
  const config = triggerConfig === undefined ? {} : readTriggerConfig(triggerConfig);
  return { ...old, ...config, modifiedAtUnixMs: nowUnixMs };
}

function readTriggerConfig(text: string): Pick<HttpTrigger, "authType" | "methods"> {
  const { authType, methods } = readInput(configInput, Buffer.from(text));
  return { authType, methods };
}
