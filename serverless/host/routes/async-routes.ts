/** How a function's asynchronous calls are run again: PutAsyncInvokeConfig, GetAsyncInvokeConfig, DeleteAsyncInvokeConfig. */
import type { Hono } from "hono";
import { z } from "zod";
import { defaultAsyncRules } from "../calls/async-calls.ts";
import type { FunctionStore, StoredFunction } from "../deployed/function-store.ts";
import { readInput } from "../deployed/read-input.ts";
import type { Gate, HostEnv } from "./host-route.ts";

const path = "/2023-03-30/functions/:name/async-invoke-config";
const maxInputBytes = 2 ** 16;

const whole = (minimum: number, maximum: number): z.ZodNumber => {
  const allowed = `an integer from ${minimum} to ${maximum}`;
  return z.int(allowed).min(minimum, allowed).max(maximum, allowed);
};
const input = z.looseObject({
  maxAsyncRetryAttempts: whole(0, 8).default(defaultAsyncRules.maxRetryAttempts),
  maxAsyncEventAgeInSeconds: whole(1, 604_800).default(defaultAsyncRules.maxAgeMs / 1_000),
});

export function addAsyncRoutes(app: Hono<HostEnv>, store: FunctionStore, gate: Gate): void {
  app.put(path, gate.deploys(maxInputBytes), (context) => {
    const { name } = store.get(context.req.param("name"), context.req.query("qualifier")).config;
    const { maxAsyncRetryAttempts, maxAsyncEventAgeInSeconds } = readInput(input, context.var.body);
    const asyncRules = {
      maxRetryAttempts: maxAsyncRetryAttempts,
      maxAgeMs: maxAsyncEventAgeInSeconds * 1_000,
    };
    store.change(name, { asyncRules });
    return context.json(rulesView(store.get(name)));
  });
  app.get(path, gate.signed(0), (context) => context.json(rulesView(store.get(context.req.param("name")))));
  app.delete(path, gate.deploys(0), (context) => {
    store.change(context.req.param("name"), { asyncRules: defaultAsyncRules });
    return context.body(null, 204);
  });
}

function rulesView({ settings, asyncRules }: StoredFunction): object {
  return {
    functionArn: `acs:fc:local:0:functions/${settings.functionName}`,
    maxAsyncRetryAttempts: asyncRules.maxRetryAttempts,
    maxAsyncEventAgeInSeconds: asyncRules.maxAgeMs / 1_000,
  };
}
