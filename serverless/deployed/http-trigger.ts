/** A function's HTTP trigger, as CreateTrigger defines it: through it, requests reach the function as they are. */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { triggerMethods } from "../../protocol/fc-limits.ts";
import { triggerAuths, type TriggerAuth } from "../fc-contract.ts";
import { readInput } from "./read-input.ts";

export interface HttpTrigger {
  readonly id: string;
  readonly name: string;
  readonly authType: TriggerAuth;
  readonly methods: readonly string[];
  readonly createdAtUnixMs: number;
}

const input = z.looseObject({
  triggerName: z
    .string()
    .regex(/^[A-Za-z_][\w-]{0,127}$/, "letters, digits, - and _, not beginning with a digit or -"),
  triggerType: z.literal("http", "http (the local host has no other)"),
  triggerConfig: z.string("JSON as text"),
});

const config = z.looseObject({
  authType: z.enum(triggerAuths, triggerAuths.join(", ")).default("function"),
  methods: z
    .array(z.enum(triggerMethods, triggerMethods.join(", ")))
    .min(1)
    .default([...triggerMethods]),
});

export function newTrigger(
  given: { readonly name?: string; readonly authType: TriggerAuth; readonly methods?: readonly string[] },
  createdAtUnixMs: number,
): HttpTrigger {
  return { id: randomUUID(), name: "http", methods: triggerMethods, createdAtUnixMs, ...given };
}

/**
 * @param body CreateTriggerInput as JSON
 * @throws FcRefusal InvalidArgument that names field, value and what is allowed
 */
export function readTrigger(body: Uint8Array, nowUnixMs: number): HttpTrigger {
  const { triggerName: name, triggerConfig } = readInput(input, body);
  const { authType, methods: allowed } = readInput(config, Buffer.from(triggerConfig));
  return newTrigger({ name, authType, methods: allowed }, nowUnixMs);
}
