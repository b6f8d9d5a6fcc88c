/** Loads what `--join` of an edge needs, which without it is not loaded, because the packages of NATS are optional. */
import { checkInstalled } from "../../base/optional-package.ts";

/** @throws UsageError when a package is missing */
export function loadEdgeJoin(): Promise<typeof import("./edge-join.ts")> {
  checkInstalled("--join", ["@nats-io/transport-node", "@nats-io/jetstream", "@nats-io/kv", "@nats-io/obj"]);
  return import("./edge-join.ts");
}
