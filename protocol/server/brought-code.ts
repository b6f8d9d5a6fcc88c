/**
 * What a load request brings itself that runs here: files and zips, which may hold a handler, and settings that start
 * processes with other variables, such as NODE_OPTIONS.
 */
import type { Context } from "hono";
import type { AccessGate } from "../../base/access/access-gate.ts";
import { ProtocolError } from "../errors.ts";
import type { Parameters } from "../tensor.ts";

/** Files in the form of Triton, whatever their case, and ours. */
const broughtFile = /^\s*(file|spillway_zip)/i;

/** @throws ProtocolError (403) when a load request brings code and its caller may not */
export function refuseBroughtCode(parameters: Parameters, gate: AccessGate, context: Context): void {
  const name = broughtCode(parameters);
  if (name === undefined || gate.mayBringCode(context)) return;
  const what = name === "config" ? "config with env" : name.slice(0, 100);
  throw new ProtocolError(
    `parameters.${what} brings code, which needs the admin token as a bearer token; ${gate.codeNeeds}`,
    403,
  );
}

/** The name of the first parameter that brings code; undefined: none does. */
function broughtCode(parameters: Parameters): string | undefined {
  return Object.entries(parameters).find(([name, value]) => {
    return broughtFile.test(name) || (name === "config" && setsEnvironment(value));
  })?.[0];
}

/** Triton has no setting of this name. */
function setsEnvironment(config: Parameters[string]): boolean {
  if (typeof config !== "string") return false;
  try {
    const settings: unknown = JSON.parse(config);
    return typeof settings === "object" && settings !== null && Object.hasOwn(settings, "env");
  } catch {
    return false;
  }
}
