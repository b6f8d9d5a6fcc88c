/** Loads what `--join` needs, which without it is not loaded, because the packages of NATS are optional. */
import { checkInstalled } from "../../../../base/optional-package.ts";

/** @throws UsageError when a package is missing */
export function loadJoined(): Promise<typeof import("./open-joined.ts")> {
  checkInstalled("--join", ["@nats-io/transport-node", "@nats-io/jetstream", "@nats-io/kv", "@nats-io/obj"]);
  return import("./open-joined.ts");
}
