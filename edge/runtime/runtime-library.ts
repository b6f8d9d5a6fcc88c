/**
 * Another build of ONNX Runtime for the replicas of a model, such as one with CUDA and TensorRT for an NVIDIA Jetson. The
 * binding of onnxruntime-node finds `libonnxruntime.so.1` by its run path, which is its own folder; the library path of the
 * process comes before that. What lies in the folder is checked before a process is started with it, because a library of
 * another release ends the process, or worse.
 */
import { readdirSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { packagePath } from "../../base/optional-package.ts";
import { type ElfFile, readElf } from "./elf-file.ts";

export const libraryName = "libonnxruntime.so.1";
/** The binding of ONNX Runtime's own build (`--build_nodejs`). Where it lies beside the library, it is the one that runs. */
export const bindingName = "onnxruntime_binding.node";

export interface RuntimeLibrary {
  /** Path of the library, without links. */
  readonly library: string;
  /** Path of the binding that is used with it. */
  readonly binding: string;
  /** Such as `1.30.0`. */
  readonly release: string;
}

/** Where `onnxruntime-node` has its own. */
export function packagedFolder(): string {
  const main = packagePath("onnxruntime-node", "a model in ONNX");
  // Several releases of Node-API could be there; the package itself looks for this one.
  return join(dirname(main), "..", "bin", "napi-v6", process.platform, process.arch);
}

/** The library of `onnxruntime-node` itself. Throws an Error as `checkRuntimeLibrary` does. */
export function packagedLibrary(): RuntimeLibrary {
  const folder = packagedFolder();
  const binding = join(folder, bindingName);
  return {
    library: join(folder, libraryName),
    binding,
    release: neededRelease(elfAt(binding, "onnxruntime-node")),
  };
}

/**
 * What is in a folder that `runtimeLibrary` names.
 *
 * @param folder absolute
 * @throws Error that names the folder or the file, and what is allowed: a library of the binding's release, for this
 *   processor
 *
 * @example
 * checkRuntimeLibrary("/opt/onnxruntime-jetson").release; // "1.30.0"
 */
export function checkRuntimeLibrary(folder: string): RuntimeLibrary {
  const place = `runtimeLibrary is "${folder}"`;
  if (process.platform !== "linux")
    throw new Error(`${place}; it needs Linux, and this is ${process.platform}`);
  const files = filesIn(folder, place);
  if (!files.includes(libraryName)) {
    const other = files.find((name) => name.startsWith("libonnxruntime.so"));
    const hint = other === undefined ? "" : `, only ${other}; a link would do: ln -s ${other} ${libraryName}`;
    throw new Error(`${place}; allowed: a folder with ${libraryName}: there is none in it${hint}`);
  }
  const packaged = packagedLibrary();
  const path = join(folder, libraryName);
  const file = elfAt(path, place);
  const release = releaseIn(file.defines);
  if (release === undefined)
    throw new Error(
      `${place}; ${path} is not ONNX Runtime: it defines no symbol version such as VERS_1.30.0`,
    );
  const own = files.includes(bindingName) ? join(folder, bindingName) : undefined;
  if (own !== undefined) {
    const needed = neededRelease(elfAt(own, place));
    if (needed !== packaged.release)
      throw new Error(
        `${place}; ${own} is of ONNX Runtime ${needed}; allowed: ${packaged.release}, as the installed onnxruntime-node`,
      );
  }
  if (release !== packaged.release)
    throw new Error(
      `${place}; ${path} is ONNX Runtime ${release}; allowed: ${packaged.release}, as the binding of the installed ` +
        "onnxruntime-node needs it",
    );
  return { library: realpathSync(path), binding: own ?? packaged.binding, release };
}

/** The library path of a process that shall use a folder's library: that folder comes first. */
export function libraryPath(folder: string, present: string | undefined): string {
  return present === undefined || present === "" ? folder : `${folder}:${present}`;
}

function filesIn(folder: string, place: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    const why = { ENOENT: "there is no such folder", ENOTDIR: "it is a file", EACCES: "no permission" }[code];
    throw new Error(`${place}; allowed: a folder with ${libraryName}: ${why ?? (error as Error).message}`, {
      cause: error,
    });
  }
}

/** Throws an Error that names the file when it is no ELF file, or is for another processor. */
function elfAt(path: string, place: string): ElfFile {
  let file: ElfFile;
  try {
    file = readElf(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === undefined ? message : `cannot be read: ${message}`;
    throw new Error(`${place}; ${path} ${why}`, { cause: error });
  }
  if (file.machine === process.arch) return file;
  throw new Error(
    `${place}; ${path} is built for ${file.machine}; allowed: ${process.arch}, as this machine`,
  );
}

function neededRelease({ needs }: ElfFile): string {
  return releaseIn(needs.get(libraryName) ?? []) ?? "of an unknown release";
}

function releaseIn(versions: readonly string[]): string | undefined {
  return versions
    .map((version) => /^VERS_(\d+\.\d+\.\d.*)$/.exec(version)?.[1])
    .find((release) => release !== undefined);
}
