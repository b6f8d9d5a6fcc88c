/** What a V2 load request asks for beyond loading what the repository has: other settings, files, or a zip. */
import { showValue, shortened } from "../../base/error-text.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { Parameters } from "../../protocol/tensor.ts";
import { type ModelConfig, readModelConfig } from "../models/model-config.ts";
import { type Digest, readDigest } from "./fetch-zip.ts";

export interface ModelChange {
  /** Settings instead of the model's `config.yaml`. */
  readonly config?: ModelConfig;
  /** Files of a new version, by their paths in the model's folder, such as `2/model.onnx`. */
  readonly files: ReadonlyMap<string, Buffer>;
  readonly zip?: { readonly source: string; readonly digest: Digest | undefined };
}

const filePrefix = "file:";
const known = ["config", "spillway_zip", "spillway_sha256", "spillway_md5"];

/**
 * The change in the parameters of a load request: `config` and `file:VERSION/NAME` as Triton has them, and
 * `spillway_zip` with `spillway_sha256` or `spillway_md5`. Throws a ProtocolError that names the parameter.
 */
export function readChange(parameters: Parameters): ModelChange {
  const files = new Map<string, Buffer>();
  const texts = new Map<string, string>();
  for (const [name, value] of Object.entries(parameters)) {
    if (typeof value !== "string")
      throw new ProtocolError(`parameters.${shortened(name)} is ${showValue(value)}; allowed: a string`);
    if (name.startsWith(filePrefix)) files.set(name.slice(filePrefix.length), fileOf(name, value));
    else if (known.includes(name)) texts.set(name, value);
    else {
      const allowed = [...known, "file:VERSION/NAME"].join(", ");
      throw new ProtocolError(`parameters.${shortened(name)} is unknown; allowed: ${allowed}`);
    }
  }
  const config = texts.get("config");
  const source = texts.get("spillway_zip");
  if (source !== undefined && files.size > 0)
    throw new ProtocolError("parameters have both spillway_zip and files; allowed: one of the two");
  return {
    ...(config !== undefined && { config: configOf(config) }),
    files,
    ...(source !== undefined && { zip: { source, digest: digestOf(texts) } }),
  };
}

function fileOf(name: string, base64: string): Buffer {
  const path = name.slice(filePrefix.length);
  const isInside = path.split("/").every((part) => /^[\w-][\w.-]*$/.test(part));
  if (isInside && /^[0-9]+\/./.test(path)) return Buffer.from(base64, "base64");
  throw new ProtocolError(
    `parameters.${shortened(name)} is not a file of a version; allowed: file:VERSION/NAME, such as file:1/model.onnx`,
  );
}

function configOf(text: string): ModelConfig {
  try {
    return readModelConfig(JSON.parse(text), "parameters.config");
  } catch (error) {
    const { message } = error as Error;
    throw new ProtocolError(
      error instanceof SyntaxError ? `parameters.config is not valid JSON: ${shortened(message)}` : message,
    );
  }
}

function digestOf(texts: ReadonlyMap<string, string>): Digest | undefined {
  const [sha256, md5] = [texts.get("spillway_sha256"), texts.get("spillway_md5")];
  try {
    if (sha256 !== undefined) return readDigest("sha256", sha256);
    return md5 === undefined ? undefined : readDigest("md5", md5);
  } catch (error) {
    throw new ProtocolError(`parameters.spillway_${(error as Error).message}`);
  }
}
