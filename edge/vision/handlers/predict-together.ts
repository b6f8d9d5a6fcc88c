/**
 * The prepared requests of a batch through the model: those of equal datatypes and shapes together, the others apart,
 * because pictures of different sizes may come in one batch.
 */
import { cutRows, joinRows, stackKey } from "../../../protocol/stack.ts";
import type { Tensor } from "../../../protocol/tensor.ts";
import type { Predict } from "./handler.ts";
import { type Settled, settled } from "./settled.ts";

type Outcome = Settled<readonly Tensor[]>;

/**
 * The outputs of each request; errors stay where they are. What the model throws at a request alone is its outcome; at
 * several together it rejects, so that whoever asked can try them in smaller batches.
 */
export async function predictTogether(requests: readonly Outcome[], predict: Predict): Promise<Outcome[]> {
  const outcomes = [...requests];
  const groups = new Map<string, number[]>();
  for (const [index, inputs] of requests.entries()) {
    if (inputs instanceof Error) continue;
    const key = stackKey({ parameters: {}, inputs: [...inputs] });
    groups.set(key, [...(groups.get(key) ?? []), index]);
  }
  for (const members of groups.values()) {
    const inputs = members.map((index) => requests[index] as readonly Tensor[]);
    const outputs = await outputsOf(inputs, predict);
    for (const [place, index] of members.entries()) {
      outcomes[index] = outputs[place] as Outcome;
    }
  }
  return outcomes;
}

async function outputsOf(
  requests: readonly (readonly Tensor[])[],
  predict: Predict,
): Promise<readonly Outcome[]> {
  const [only, second] = requests;
  if (only !== undefined && second === undefined) return [await settled(async () => predict(only))];
  const outputs = await predict(joinRows(requests));
  return cutRows(
    outputs,
    requests.map(([first]) => first?.shape[0] ?? 1),
  );
}
