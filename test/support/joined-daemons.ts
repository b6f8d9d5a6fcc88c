/** Daemons as processes that join one nats-server, and requests whose answers are checked. */
import { type RunningProgram, startProgram } from "../contract/running-program.ts";

/** A daemon that has measured nothing, and so starts at once. */
export function startJoined(nats: string, edge: string, ...flags: string[]): Promise<RunningProgram> {
  return startProgram("vqueue", [
    "--edge",
    edge,
    "--no-serverless",
    "--calibrate",
    "0",
    "--join",
    nats,
    ...flags,
  ]);
}

export interface Doubled {
  readonly status: number;
  /** 0 where nobody answered. */
  readonly value: number;
  readonly error: string;
}

/** Asks the model `double` for twice a number. Never rejects: without a connection the status is 0. */
export function askDouble(url: string, value: number, timeoutUs = 30_000_000): Promise<Doubled> {
  return askModel(url, "double", value, timeoutUs);
}

/** The same of another model that doubles. */
export async function askModel(
  url: string,
  model: string,
  value: number,
  timeoutUs: number,
): Promise<Doubled> {
  const body = JSON.stringify({
    parameters: { timeout: timeoutUs },
    inputs: [{ name: "x", datatype: "FP32", shape: [1, 1], data: [value] }],
  });
  try {
    const response = await fetch(`${url}/v2/models/${model}/infer`, { method: "POST", body });
    const told = (await response.json()) as {
      readonly error?: string;
      readonly outputs?: readonly { readonly data: readonly number[] }[];
    };
    return { status: response.status, value: told.outputs?.[0]?.data[0] ?? 0, error: told.error ?? "" };
  } catch (error) {
    return { status: 0, value: 0, error: (error as Error).message };
  }
}
