/**
 * The services of the two .proto files beside this one. The packages that they need are loaded by the first `openSchema`,
 * so that a program without gRPC does without them.
 */
import { readFileSync } from "node:fs";
import type { Namespace, Root, Type } from "protobufjs";
import { loadPackage } from "../../base/optional-package.ts";

/** A message in the form that bytes are read into and written from: absent fields are those of its prototype. */
export type Message = object;

/** One of the messages of a method. */
export interface GrpcCodec {
  readonly read: (bytes: Uint8Array) => Message;
  readonly write: (message: Message) => Buffer;
  /** From values of JSON: enums by name, bytes in base64. Fields that the message does not have are left out. */
  readonly fromJson: (json: object) => Message;
  /** To values of JSON, absent fields with their defaults. */
  readonly toJson: (message: Message) => Record<string, unknown>;
}

export interface GrpcMethod {
  /** Such as `/inference.GRPCInferenceService/ModelInfer`. */
  readonly path: string;
  readonly request: GrpcCodec;
  readonly response: GrpcCodec;
  readonly isStream: boolean;
}

export interface GrpcSchema {
  /** By name, such as `ModelInfer`. */
  readonly methods: ReadonlyMap<string, GrpcMethod>;
}

let schema: GrpcSchema | undefined;

/** @throws UsageError when the packages are not installed */
export function openSchema(): GrpcSchema {
  return (schema ??= { methods: new Map([...methodsIn("inference"), ...methodsIn("health")]) });
}

function methodsIn(file: string): [name: string, GrpcMethod][] {
  const { parse } = loadPackage("protobufjs", "gRPC");
  const text = readFileSync(new URL(`${file}.proto`, import.meta.url), "utf8");
  const { root, package: name } = parse(text, { keepCase: true });
  root.resolveAll();
  const services = (root.lookup(name as string) as Namespace).nestedArray.filter((each) => "methods" in each);
  return services.flatMap((service) =>
    Object.values(root.lookupService(service.fullName).methods).map((method): [string, GrpcMethod] => [
      method.name,
      {
        path: `/${service.fullName.slice(1)}/${method.name}`,
        request: codecOf(method.resolvedRequestType ?? typeIn(root, name, method.requestType)),
        response: codecOf(method.resolvedResponseType ?? typeIn(root, name, method.responseType)),
        isStream: method.requestStream === true,
      },
    ]),
  );
}

function typeIn(root: Root, packageName: string | undefined, type: string): Type {
  return root.lookupType(`${packageName}.${type}`);
}

function codecOf(type: Type): GrpcCodec {
  return {
    read: (bytes) => type.decode(bytes),
    write: (message) => type.encode(message).finish() as Buffer,
    fromJson: (json) => type.fromObject(json),
    toJson: (message) =>
      type.toObject(message as never, { defaults: true, longs: Number, enums: String, bytes: String }),
  };
}
