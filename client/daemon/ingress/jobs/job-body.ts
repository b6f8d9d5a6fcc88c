/** The body of `POST …/jobs` as the input of a job: one V2 request, lines of JSON, or a zip of files. */
import { Buffer } from "node:buffer";
import { shortened } from "../../../../base/error-text.ts";
import { ProtocolError } from "../../../../protocol/errors.ts";
import { isV2Request } from "../../../../protocol/line-request.ts";
import { checkNoSequence, type ModelMetadata, type WireBody } from "../../../../protocol/message.ts";
import type { MessageCodec } from "../../../../protocol/server/message-codec.ts";
import { fileInput } from "../../../../protocol/server/predict.ts";
import { toWireBody } from "../../../../protocol/v2-http.ts";
import { type JobInput, requestInput } from "./job-input.ts";
import { jsonlInput } from "./jsonl-input.ts";
import { zipInput } from "./zip-input.ts";

type BodyForm = "request" | "lines" | "zip";

export interface JobBodyOptions {
  readonly codec: MessageCodec;
  readonly metadata: ModelMetadata | undefined;
  /** Largest file of a zip, and most bytes of all its files together. */
  readonly mostFileBytes: number;
  readonly mostBytes: number;
}

/** The body of a job as its caller sent it. */
export interface SentJob {
  readonly body: ArrayBuffer;
  /** Value of the header Content-Type. */
  readonly type?: string | undefined;
  /** Value of the header Inference-Header-Content-Length. */
  readonly headerBytes?: string | undefined;
}

/**
 * Rejects with a ProtocolError that names the place in the body.
 *
 * @param gone ends the reading
 */
export async function readJobBody(
  sent: SentJob,
  { codec, metadata, mostFileBytes, mostBytes }: JobBodyOptions,
  gone?: AbortSignal,
): Promise<JobInput> {
  const { body, headerBytes } = sent;
  const bytes = new Uint8Array(body);
  if (bytes.length === 0)
    throw new ProtocolError("the body is empty; allowed: a V2 request, lines of JSON (JSONL), or a zip");
  switch (formOf(sent, bytes)) {
    case "zip": {
      if (metadata === undefined)
        throw new ProtocolError("no server says whether the model takes files; allowed: V2 requests");
      return zipInput(bytes, { input: fileInput(metadata), mostFileBytes, mostBytes });
    }
    case "lines":
      return jsonlInput(bytes, metadata, codec);
    case "request": {
      const wire: WireBody = toWireBody(headerBytes, body);
      const request = await codec.read(wire, metadata, gone);
      checkNoSequence(request);
      return requestInput(request);
    }
  }
}

/** As its type says; where that says nothing, as curl's own for files, by how the body begins. */
function formOf({ type: given = "", headerBytes }: SentJob, body: Uint8Array): BodyForm {
  const [type = ""] = given.toLowerCase().split(";");
  if (headerBytes !== undefined || type === "application/json") return "request";
  if (/^application\/(x-ndjson|ndjson|jsonl|x-jsonl|jsonlines|x-jsonlines|json-lines)$/.test(type))
    return "lines";
  if (/^application\/(zip|x-zip-compressed)$/.test(type) || isZip(body)) return "zip";
  if (/^(application\/(octet-stream|x-www-form-urlencoded)|text\/plain)?$/.test(type))
    return areLines(body) ? "lines" : "request";
  throw new ProtocolError(
    `content-type is "${shortened(type)}"; allowed: application/json, application/x-ndjson, application/zip`,
    415,
  );
}

function isZip(body: Uint8Array): boolean {
  return body[0] === 0x50 && body[1] === 0x4b && (body[2] === 3 || body[2] === 5);
}

/** Longer first lines are not looked at: nobody prints a request over several lines that are so long. */
const longestFirstLine = 2 ** 16;

/** Whether these are lines of JSON, and not a request that is printed over one or several. */
function areLines(body: Uint8Array): boolean {
  const end = body.indexOf(0x0a) < 0 ? body.length : body.indexOf(0x0a);
  const isOnly = body.subarray(end).every((byte) => byte === 0x0a || byte === 0x0d || byte === 0x20);
  if (isOnly) return !isV2Request(body.subarray(0, end));
  if (end > longestFirstLine) return true;
  const line = Buffer.from(body.buffer, body.byteOffset, end).toString("utf8").trim();
  try {
    JSON.parse(line);
    return true;
  } catch {
    // The begin of such a request ends where something has to follow; a broken row does not.
    return line !== "" && !/[,:{[]$/.test(line);
  }
}
