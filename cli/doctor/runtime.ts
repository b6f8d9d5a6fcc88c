/** What `doctor` tells of the optional packages, of ONNX Runtime, and of the models that the file names. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { optionalPackages, type OptionalPackageName, packagePath } from "../../base/optional-package.ts";
import { surveyModels } from "../../edge/models/repository.ts";
import { loadOnnxRuntime } from "../../edge/runtime/load-runtime.ts";
import { checkRuntimeLibrary, packagedLibrary } from "../../edge/runtime/runtime-library.ts";
import { fact, fault, type Finding } from "./finding.ts";

export function packageFindings(): Finding[] {
  const names = Object.keys(optionalPackages) as OptionalPackageName[];
  const found = names.map((name) => [name, versionOf(name)] as const);
  const listed = found
    .filter(([, version]) => version !== undefined)
    .map(([name, version]) => `${name} ${version}`);
  const absent = found.filter(([, version]) => version === undefined).map(([name]) => name);
  return [
    fact("optional packages", listed.join(", ") || "none"),
    fact("not installed", absent.join(", ") || "none"),
  ];
}

function versionOf(name: OptionalPackageName): string | undefined {
  let folder: string;
  try {
    folder = dirname(packagePath(name, "doctor"));
  } catch {
    return undefined;
  }
  for (;;) {
    try {
      const read = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
        name?: string;
        version?: string;
      };
      if (read.name === name) return read.version;
    } catch {
      // A folder of the package without a package.json of its own.
    }
    if (dirname(folder) === folder) return "of an unknown version";
    folder = dirname(folder);
  }
}

export function runtimeFindings(): Finding[] {
  try {
    packagePath("onnxruntime-node", "doctor");
  } catch {
    return [fact("ONNX Runtime", "onnxruntime-node is not installed; an edge server needs it")];
  }
  try {
    const { library, release } = packagedLibrary();
    const { api } = loadOnnxRuntime();
    const providers = api
      .listSupportedBackends()
      .map(({ name, bundled }) => `${name}${bundled ? "" : " (if installed)"}`);
    return [
      fact("ONNX Runtime", `${release} (${library})`),
      fact("providers", `${providers.join(", ")}, as its binding says`),
    ];
  } catch (error) {
    return [fault("ONNX Runtime", (error as Error).message)];
  }
}

/** @param folder that `edge.models` of the file names */
export function modelFindings(folder: string): Finding[] {
  try {
    const { models, faults } = surveyModels(folder);
    const libraries = new Set(models.flatMap(({ config }) => config?.runtimeLibrary ?? []));
    return [
      fact("models", `${folder}: ${models.map(({ name }) => name).join(", ") || "none"}`),
      ...[...faults].map(([name, reason]) => fault(`model ${name}`, reason)),
      ...[...libraries].map(libraryFinding),
    ];
  } catch (error) {
    return [fault("models", (error as Error).message)];
  }
}

function libraryFinding(folder: string): Finding {
  try {
    const { library, binding, release } = checkRuntimeLibrary(folder);
    return fact("runtime library", `${release} (${library}), by ${binding}`);
  } catch (error) {
    return fault("runtime library", (error as Error).message);
  }
}
