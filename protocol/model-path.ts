/**
 * Names of models in paths. One version of a model that has several is called `NAME/versions/VERSION` inside the client,
 * so that it has a line of its own in the queue and is asked for by its own path.
 */

/**
 * @example
 * versionedName("resnet", "2"); // "resnet/versions/2"
 */
export function versionedName(model: string, version: string): string {
  return `${model}/versions/${version}`;
}

/** The parts of a name; no version where it names the model as such. */
export function versionedModel(name: string): { readonly model: string; readonly version?: string } {
  const [, model, version] = /^(.+)\/versions\/([^/]+)$/s.exec(name) ?? [];
  return model === undefined || version === undefined ? { model: name } : { model, version };
}

/**
 * The path of a model or of one version of it.
 *
 * @example
 * modelPath("res net"); // "/v2/models/res%20net"
 * modelPath("resnet/versions/2"); // "/v2/models/resnet/versions/2"
 */
export function modelPath(name: string): string {
  const { model, version } = versionedModel(name);
  const path = `/v2/models/${encodeURIComponent(model)}`;
  return version === undefined ? path : `${path}/versions/${encodeURIComponent(version)}`;
}
