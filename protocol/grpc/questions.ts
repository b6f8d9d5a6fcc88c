/**
 * What gRPC asks beside inference, each in both directions: a message as the V2 request over HTTP that means the same,
 * and such a request as a message. So a server answers gRPC through its V2 routes, and a gRPC server is asked like any
 * other.
 */
import { ProtocolError } from "../errors.ts";
import { fromGrpcParameters, type GrpcParameters } from "./grpc-parameters.ts";

/** Values as JSON has them. */
type Json = Readonly<Record<string, unknown>>;

export interface V2Request {
  readonly method: "GET" | "POST";
  /** From `/v2` on, its parts encoded. */
  readonly path: string;
  readonly body?: object;
}

/** An answer over HTTP. */
export interface V2Answer {
  readonly status: number;
  readonly json: unknown;
}

interface Question {
  /** The request of a message. */
  readonly asV2: (message: Json) => V2Request;
  /** The message of an answer; undefined when it is an error. */
  readonly answered: (answer: V2Answer) => object | undefined;
  /** The message of a request; undefined when that asks something else. */
  readonly asked: (request: V2Request) => object | undefined;
  /** The answer of a message. */
  readonly asAnswer: (message: Json) => V2Answer;
}

/** The names of the methods, by which both sides find them. */
export const questions: Readonly<Record<string, Question>> = {
  ServerLive: health("live"),
  ServerReady: health("ready"),
  ServerMetadata: ofServer(),
  ModelReady: {
    asV2: (message) => ({ method: "GET", path: `${pathOf(message)}/ready` }),
    answered: ({ status, json }) => {
      if (status === 404) return { ready: false };
      return typeof field(json, "ready") === "boolean" ? { ready: field(json, "ready") } : undefined;
    },
    asked: ({ path }) => modelIn(path, "/ready"),
    asAnswer: ({ ready }) => readiness("ready", ready),
  },
  ModelMetadata: {
    asV2: (message) => ({ method: "GET", path: pathOf(message) }),
    answered: ({ status, json }) => (status === 200 ? withProperties(json as Json) : undefined),
    asked: ({ path }) => modelIn(path, ""),
    asAnswer: (message) => ({ status: 200, json: withParameters(message) }),
  },
  ModelConfig: {
    asV2: (message) => ({ method: "GET", path: `${pathOf(message)}/config` }),
    answered: ({ status, json }) => (status === 200 ? { config: json } : undefined),
    asked: ({ path }) => modelIn(path, "/config"),
    asAnswer: ({ config }) => ({ status: 200, json: config }),
  },
  ModelStatistics: {
    asV2: (message) => ({
      method: "GET",
      path: message["name"] === "" ? "/v2/models/stats" : `${pathOf(message)}/stats`,
    }),
    answered: ({ status, json }) => (status === 200 ? (json as object) : undefined),
    asked: ({ path }) => (path === "/v2/models/stats" ? {} : modelIn(path, "/stats")),
    asAnswer: (json) => ({ status: 200, json }),
  },
  RepositoryIndex: {
    asV2: ({ ready }) => ({
      method: "POST",
      path: "/v2/repository/index",
      body: ready === true ? { ready: true } : {},
    }),
    answered: ({ status, json }) => (status === 200 && Array.isArray(json) ? { models: json } : undefined),
    asked: ({ path, body = {} }) =>
      path === "/v2/repository/index" ? { ready: field(body, "ready") === true } : undefined,
    asAnswer: ({ models }) => ({ status: 200, json: models }),
  },
  RepositoryModelLoad: change("load"),
  RepositoryModelUnload: change("unload"),
};

/** The method and the message that ask a server the same; undefined when gRPC has no word for it. */
export function questionOf(
  request: V2Request,
): { readonly name: string; readonly message: object } | undefined {
  for (const [name, { asked }] of Object.entries(questions)) {
    const message = asked(request);
    if (message !== undefined) return { name, message };
  }
  return undefined;
}

function health(what: "live" | "ready"): Question {
  const path = `/v2/health/${what}`;
  return {
    asV2: () => ({ method: "GET", path }),
    answered: ({ json }) =>
      typeof field(json, what) === "boolean" ? { [what]: field(json, what) } : undefined,
    asked: (request) => (request.path === path ? {} : undefined),
    asAnswer: (message) => readiness(what, message[what]),
  };
}

function ofServer(): Question {
  return {
    asV2: () => ({ method: "GET", path: "/v2" }),
    answered: ({ status, json }) => (status === 200 ? (json as object) : undefined),
    asked: ({ path }) => (path === "/v2" ? {} : undefined),
    asAnswer: (json) => ({ status: 200, json }),
  };
}

function readiness(what: string, is: unknown): V2Answer {
  return { status: is === true ? 200 : 503, json: { [what]: is === true } };
}

function change(what: "load" | "unload"): Question {
  const pattern = new RegExp(`^/v2/repository/models/([^/]+)/${what}$`);
  return {
    asV2: (message) => {
      const given = message["parameters"] as GrpcParameters | undefined;
      const parameters = fromGrpcParameters(choicesOf(given), "parameters");
      return {
        method: "POST",
        path: `/v2/repository/models/${encodeURIComponent(textOf(message["model_name"]))}/${what}`,
        body: { parameters },
      };
    },
    answered: ({ status }) => (status === 200 ? {} : undefined),
    asked: ({ path, body = {} }) => {
      const [, name] = pattern.exec(path) ?? [];
      if (name === undefined) return undefined;
      const parameters = Object.entries((field(body, "parameters") as Json | undefined) ?? {});
      return {
        model_name: decodeURIComponent(name),
        parameters: Object.fromEntries(parameters.map(([key, value]) => [key, changeParameter(key, value)])),
      };
    },
    asAnswer: () => ({ status: 200, json: {} }),
  };
}

/** In JSON the name of the one field is not said beside it. */
function choicesOf(parameters: GrpcParameters = {}): GrpcParameters {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, parameter]) => {
      const [[choice, value] = ["", undefined]] = Object.entries(parameter);
      // Files come in base64 over HTTP, too.
      return choice === "bytes_param"
        ? [name, { string_param: value as string, parameter_choice: "string_param" as const }]
        : [name, { ...parameter, parameter_choice: choice as "string_param" }];
    }),
  );
}

function changeParameter(name: string, value: unknown): object {
  if (typeof value === "boolean") return { bool_param: value };
  if (typeof value === "number") return { int64_param: value };
  return name.startsWith("file:") ? { bytes_param: value } : { string_param: String(value) };
}

/** The path of the model that a message names, which has to name one. */
export function pathOf({ name, version }: Json): string {
  if (textOf(name) === "") throw new ProtocolError("name is empty; allowed: the name of a model");
  const path = `/v2/models/${encodeURIComponent(textOf(name))}`;
  return textOf(version) === "" ? path : `${path}/versions/${encodeURIComponent(textOf(version))}`;
}

const modelPath = /^\/v2\/models\/([^/]+)(?:\/versions\/([^/]+))?(\/[a-z]+)?$/;

function modelIn(path: string, end: string): object | undefined {
  const [, name, version = "", found = ""] = modelPath.exec(path) ?? [];
  if (name === undefined || found !== end) return undefined;
  return { name: decodeURIComponent(name), version: decodeURIComponent(version) };
}

/** Parameters of the model and of its inputs are properties here: texts by name. */
function withProperties(metadata: Json): object {
  const inputs = (metadata["inputs"] as readonly Json[] | undefined) ?? [];
  const ofInputs = inputs.flatMap(({ name, parameters }) =>
    Object.entries((parameters as Json | undefined) ?? {}).map(
      ([key, value]) => [`inputs.${textOf(name)}.${key}`, String(value)] as const,
    ),
  );
  const own = Object.entries((metadata["parameters"] as Json | undefined) ?? {}).map(
    ([key, value]) => [key, String(value)] as const,
  );
  return { ...metadata, properties: Object.fromEntries([...own, ...ofInputs]) };
}

function withParameters({ properties, ...metadata }: Json): object {
  const parameters: Record<string, unknown> = {};
  const inputs = metadata["inputs"] as readonly Json[];
  const ofInput = new Map<string, Record<string, unknown>>(
    inputs.map(({ name }) => [`inputs.${textOf(name)}.`, {}]),
  );
  for (const [key, text] of Object.entries((properties as Json | undefined) ?? {})) {
    const [prefix, own] = [...ofInput].find(([prefix]) => key.startsWith(prefix)) ?? ["", parameters];
    own[key.slice(prefix.length)] = valueOf(textOf(text));
  }
  return {
    ...metadata,
    inputs: inputs.map((input) => {
      const own = ofInput.get(`inputs.${textOf(input["name"])}.`) ?? {};
      return Object.keys(own).length === 0 ? input : Object.assign({ parameters: own }, input);
    }),
    ...(Object.keys(parameters).length > 0 && { parameters }),
  };
}

/** The value that a text of a property was. */
function valueOf(text: string): string | number | boolean {
  if (text === "true" || text === "false") return text === "true";
  const isNumber = /^-?(0|[1-9][0-9]*)(\.[0-9]+)?$/.test(text);
  return isNumber && String(Number(text)) === text ? Number(text) : text;
}

function field(json: unknown, name: string): unknown {
  return typeof json === "object" && json !== null ? (json as Json)[name] : undefined;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
