/** Function Compute's control plane, by the official SDK. */
import { createRequire } from "node:module";
import type FunctionCompute from "@alicloud/fc20230330";

// By require: what the default import of this CommonJS module gives depends on who runs us.
export const fc = createRequire(import.meta.url)("@alicloud/fc20230330") as typeof FunctionCompute;

export type Client = InstanceType<typeof fc.default>;

export interface ControlPlane {
  /** `HOST:PORT`. */
  readonly endpoint: string;
  readonly protocol: "http" | "https";
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
}

/** Longest pause of an answer, in milliseconds: the other side unpacks what was sent. */
const timeoutMs = 60_000;

export function connect(plane: ControlPlane): Client {
  const config = { ...plane, readTimeout: timeoutMs, connectTimeout: timeoutMs };
  return new fc.default(config as ConstructorParameters<typeof fc.default>[0]);
}
