/** What an edge tells of its models to those that joined. */
import type { EdgeEntry } from "../../base/nats/edge-entry.ts";

export type EdgeFacts = Pick<EdgeEntry, "models" | "replicas" | "profile">;
