/**
 * What the contract suite knows of a function that runs: how it is called, what it printed, how it ends. Each shape in
 * which a function can run implements it; the command that starts the function is the suite's parameter.
 */
import type { WireBody } from "../../protocol/message.ts";

export interface FunctionCommand {
  /** Program and arguments; it finds its port in the environment. */
  readonly command: readonly string[];
  readonly cwd?: string;
  /** Folder of its models. */
  readonly models: string;
}

export interface InferCall {
  readonly model: string;
  readonly version?: string;
  readonly wire: WireBody;
}

export interface InferAnswer {
  /** Of the V2 answer, however it travelled. */
  readonly status: number;
  readonly wire: WireBody;
}

export interface RunningFunction {
  /** Rejects when the call failed for its platform. */
  infer(call: InferCall): Promise<InferAnswer>;
  /** Sends to a path as whoever is in front of the function does; undefined where a call is bytes only. */
  readonly send?: (path: string, init?: RequestInit) => Promise<Response>;
  /** A port of the function's own and its process; undefined where its platform has them. */
  readonly process?: { readonly port: number; terminate(): void; readonly exited: Promise<number | null> };
  /** All that it printed. */
  output(): string;
  stop(): Promise<void>;
}

export interface FunctionShape {
  readonly name: string;
  /** True where a platform is in front, which tells the function the id of each request. */
  readonly isPlatform: boolean;
  /** Resolves when it is ready; rejects with why it does not become so. */
  start(command: FunctionCommand): Promise<RunningFunction>;
}
