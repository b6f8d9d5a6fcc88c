/** How calls of functions that have a URL prove who sends them: as the options say, with what the environment holds. */
import type { DaemonOptions } from "./options.ts";
import type { HttpAuth } from "../transports/http-auth.ts";
import { type Environment, functionComputeKey, secretIn } from "../../base/program/secrets.ts";

/** @throws UsageError when the environment does not hold what that takes */
export function functionAuth(kind: DaemonOptions["functionAuth"], env: Environment): HttpAuth {
  switch (kind) {
    case "none":
      return { kind };
    case "bearer":
      return { kind, token: secretIn(env, "FUNCTION_BEARER_TOKEN", "--function-auth bearer") };
    case "acs3":
      return { kind, ...functionComputeKey(env, false) };
  }
}
