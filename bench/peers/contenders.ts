/** The servers of the bench: how each is installed, started and asked. Each has one worker, one thread and 32 rows at most. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { decodeInferResponse } from "../../protocol/decode.ts";
import { encodeInferRequest } from "../../protocol/encode.ts";
import type { Tensor } from "../../protocol/tensor.ts";
import { headerLength, wireHeaders } from "../../protocol/v2-http.ts";
import { inTimeMs, type PeerModel } from "./cells.ts";
import { sourceFolder } from "./source-folder.ts";

/** What a server is started with. */
export interface PeerStart {
  readonly model: PeerModel;
  /** Ports that are free: the first is the one to answer on. */
  readonly ports: readonly number[];
  /** An empty folder of this start. */
  readonly folder: string;
  /** The repository of models for our edge. */
  readonly models: string;
  /** The bin folder of the server's virtual environment. */
  readonly bin: string;
}

export interface PeerCommand {
  readonly command: readonly string[];
  /** The port that takes requests once it has started. */
  readonly port: number;
}

export interface PeerRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export interface Contender {
  readonly name: string;
  /** Pinned packages of PyPI; none for our own. */
  readonly packages: readonly string[];
  /** How it is set up, for the page. */
  readonly settings: string;
  /** Programs in the order in which they start; the last takes the load. */
  commands(start: PeerStart): PeerCommand[];
  request(model: PeerModel, row: Tensor): PeerRequest;
  /** The same, where a request can say how long its caller waits. */
  toldRequest?(model: PeerModel, row: Tensor): PeerRequest;
  /** The bytes of the tensor in an answer. Throws an Error where there is none. */
  tensorOf(body: Buffer, headers: Readonly<Record<string, unknown>>): Uint8Array;
}

export const serversFolder = sourceFolder("servers");
const cli = fileURLToPath(new URL("../../cli.js", import.meta.url));

const onnx = "onnxruntime==1.30.0";

/** The tensor's bytes are the body, and so is the answer's. */
const raw = (path: string): Pick<Contender, "request" | "tensorOf"> => ({
  request: (_model, { data }) => ({
    path,
    headers: { "content-type": "application/octet-stream" },
    body: data,
  }),
  tensorOf: (body) => body,
});

/** For servers that take JSON alone. @param place keys that lead to the text in an answer */
function base64(
  path: string,
  bodyOf: (text: string) => unknown,
  place: readonly (string | number)[],
): Pick<Contender, "request" | "tensorOf"> {
  return {
    request: (_model, { data }) => ({
      path,
      headers: { "content-type": "application/json" },
      body: Buffer.from(JSON.stringify(bodyOf(Buffer.from(data).toString("base64")))),
    }),
    tensorOf: (body) => {
      let found: unknown = JSON.parse(body.toString());
      for (const key of place) found = (found as Record<string | number, unknown>)[key];
      if (typeof found !== "string") throw new TypeError(`the answer has no text at ${place.join(".")}`);
      return Buffer.from(found, "base64");
    },
  };
}

function v2(model: PeerModel, row: Tensor, timeoutUs?: number): PeerRequest {
  const parameters = {
    binary_data_output: true,
    ...(timeoutUs !== undefined && { timeout: timeoutUs }),
  };
  const wire = encodeInferRequest({ parameters, inputs: [row] }, { binary: true });
  return { path: `/v2/models/${model}/infer`, headers: wireHeaders(wire), body: wire.body };
}

const v2Calls: Pick<Contender, "request" | "toldRequest" | "tensorOf"> = {
  request: v2,
  toldRequest: (model, row) => v2(model, row, inTimeMs * 1_000),
  tensorOf: (body, headers) => {
    const jsonBytes = headers[headerLength];
    const answer = decodeInferResponse(body, jsonBytes === undefined ? undefined : Number(jsonBytes));
    if (answer.outputs[0] === undefined) throw new Error("the answer has no output");
    return answer.outputs[0].data;
  },
};

const edgeCommand = ({ model, models }: PeerStart, port: number): PeerCommand => {
  const options = ["--models", models, "--load", model, "--threads", "1", "--log-level", "warn"];
  return { port, command: [process.execPath, cli, "edge", "--port", String(port), ...options] };
};

const ofPort = (port: number | undefined): number => port ?? 0;

export const contenders: readonly Contender[] = [
  {
    name: "edge",
    packages: [],
    settings: "`spillway edge --threads 1`, V2 with binary tensors, no wait for a batch",
    ...v2Calls,
    commands: (start) => [edgeCommand(start, ofPort(start.ports[0]))],
  },
  {
    name: "queue before edge",
    packages: [],
    settings: "`spillway vqueue --slo 2 --no-serverless` before the same edge, both counted",
    ...v2Calls,
    commands: (start) => {
      const [port, edgePort] = start.ports.map(ofPort);
      const targets = ["--edge", `http://127.0.0.1:${edgePort}`, "--no-serverless", "--calibrate", "3"];
      const options = ["--slo", "2", "--models", start.model, "--log-level", "warn", ...targets];
      const command = [process.execPath, cli, "vqueue", "--port", String(port), ...options];
      return [edgeCommand(start, ofPort(edgePort)), { port: ofPort(port), command }];
    },
  },
  {
    name: "mosec",
    packages: ["mosec==0.9.8", onnx],
    settings: "raw bytes, `max_wait_time=1`, the shortest that it takes",
    ...raw("/inference"),
    commands: ({ ports, bin }) => {
      const options = ["--address", "127.0.0.1", "--port", String(ports[0]), "--log-level", "warning"];
      return [
        {
          port: ofPort(ports[0]),
          command: [join(bin, "python"), join(serversFolder, "mosec_server.py"), ...options],
        },
      ];
    },
  },
  python("FastAPI with a batcher", "fastapi_server.py", ["fastapi==0.165.0", "uvicorn[standard]==0.54.0"], {
    settings: "raw bytes, uvicorn with uvloop and httptools, no wait for a batch",
    ...raw("/infer"),
  }),
  python("LitServe", "litserve_server.py", ["litserve==0.2.19"], {
    settings: "base64 in JSON, `batch_timeout=0.001`, its fast queue",
    ...base64("/infer", (x) => ({ x }), ["y"]),
  }),
  {
    name: "BentoML",
    packages: ["bentoml==1.4.40", onnx],
    settings: "base64 in JSON, its adaptive batcher, `max_latency_ms=30000`",
    ...base64("/infer", (x) => ({ x: [x] }), [0]),
    commands: ({ ports, bin }) => {
      const options = ["--working-dir", serversFolder, "--host", "127.0.0.1", "--port", String(ports[0])];
      return [
        {
          port: ofPort(ports[0]),
          command: [join(bin, "bentoml"), "serve", "bentoml_server:Model", ...options],
        },
      ];
    },
  },
  {
    name: "MLServer",
    packages: ["mlserver==1.7.1", "uvloop==0.21.0", onnx],
    settings:
      "base64 in JSON of V2, `parallel_workers` 1, `max_batch_time` 0.001; uvloop 0.21, as its workers do not start with later ones",
    ...base64(
      "/v2/models/peer/infer",
      (x) => {
        const parameters = { content_type: "base64" };
        return { inputs: [{ name: "x", shape: [1, 1], datatype: "BYTES", parameters, data: [x] }] };
      },
      ["outputs", 0, "data", 0],
    ),
    commands: ({ ports, folder, bin }) => {
      const [http_port, grpc_port, metrics_port] = ports;
      const settings = { host: "127.0.0.1", http_port, grpc_port, metrics_port };
      const server = { ...settings, parallel_workers: 1, debug: false, logging_settings: null };
      writeFileSync(join(folder, "settings.json"), JSON.stringify(server));
      const batch = { max_batch_size: 32, max_batch_time: 0.001 };
      const model = { name: "peer", implementation: "mlserver_model.Model", ...batch };
      writeFileSync(join(folder, "model-settings.json"), JSON.stringify(model));
      return [{ port: ofPort(http_port), command: [join(bin, "mlserver"), "start", folder] }];
    },
  },
  python("Ray Serve", "ray_server.py", ["ray[serve]==2.60.0"], {
    settings: "raw bytes, one replica, `batch_wait_timeout_s=0`",
    ...raw("/infer"),
  }),
];

function python(
  name: string,
  file: string,
  packages: readonly string[],
  rest: Pick<Contender, "settings" | "request" | "tensorOf">,
): Contender {
  return {
    name,
    packages: [...packages, onnx],
    ...rest,
    commands: ({ ports, bin }) => [
      { port: ofPort(ports[0]), command: [join(bin, "python"), join(serversFolder, file)] },
    ],
  };
}
