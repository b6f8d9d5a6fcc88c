/** Names of classes that a model's file has itself. Apart from `labels.ts`, so that most replicas never load YAML. */

/** The names (`names` of Ultralytics, `character` of Paddle) among the properties; undefined when it has none. */
export async function labelsInFile(properties: ReadonlyMap<string, string>): Promise<string[] | undefined> {
  const names = properties.get("names");
  if (names === undefined) return properties.get("character")?.replace(/\n$/, "").split("\n");
  const { parseLabels } = await import("../../models/labels.ts");
  try {
    // Python's way to write a map of numbers is one of YAML's.
    return parseLabels(names, "names.yaml");
  } catch {
    return undefined;
  }
}
