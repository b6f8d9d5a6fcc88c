/** Which models a server loads when it starts, where it is not to be all: those named, and what their pipelines go through. */
import type { ModelFile } from "./model-runner.ts";

/**
 * @param names with commas between; undefined for all
 * @throws Error when there is no model of a name
 */
export function modelsAtStart(models: readonly ModelFile[], names: string | undefined): readonly ModelFile[] {
  if (names === undefined) return models;
  const byName = new Map(models.map((model) => [model.name, model]));
  const wanted = new Set(names.split(",").map((name) => name.trim()));
  // A set goes on to what is added to it meanwhile: the stages of pipelines within pipelines.
  for (const name of wanted) {
    const model = byName.get(name);
    if (model === undefined)
      throw new Error(`--load names "${name}"; allowed: ${[...byName.keys()].join(", ")}`);
    for (const stage of model.config?.pipeline?.stages ?? []) if ("model" in stage) wanted.add(stage.model);
  }
  return models.filter(({ name }) => wanted.has(name));
}
