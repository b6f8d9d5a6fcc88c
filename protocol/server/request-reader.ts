/**
 * Reads requests whose tensors are binary. A client sends the same head again and again, and only the data differs: such a
 * head is read once, and each further request costs a look at it.
 */
import { Buffer } from "node:buffer";
import { Lru } from "../../base/memory/lru.ts";
import { elementBytes } from "../datatype.ts";
import { ByteRun, decodeInferRequest } from "../decode.ts";
import {
  type InferRequest,
  priorityOf,
  type RequestTemplate,
  timeoutUsOf,
  type WireParts,
} from "../message.ts";
import { dataBytes, pieceTensor, type Tensor } from "../tensor.ts";

/** Most heads that are remembered, and the longest of them, in bytes. */
const [mostHeads, longestHead] = [256, 4_096];
/** An id in front, as clients print it. Those with other characters are read as any head. */
const leadingId = /^\{"id": ?"([\w.:-]{1,200})", ?/;

/** What is known of all requests with one head. */
interface Head {
  readonly parameters: InferRequest["parameters"];
  readonly inputs: readonly { readonly about: Omit<Tensor, "data">; readonly bytes: number }[];
  readonly outputs: InferRequest["outputs"];
  /** Of all inputs. */
  readonly bytes: number;
  readonly template: RequestTemplate;
}

export class RequestReader {
  /** By the text of a head, from behind its id: such a text begins with a quotation mark, and a whole one with a brace. */
  readonly #heads = new Lru<string, Head>(mostHeads);

  /**
   * The request in a body with a JSON header, `headerBytes` of 1 or more. The memory of the body becomes that of its tensors.
   *
   * @throws ProtocolError when it is none, or a parameter of the protocol is out of range
   */
  read({ parts, headerBytes = 0 }: WireParts): InferRequest {
    const [first] = parts;
    if (first === undefined || headerBytes > Math.min(longestHead, first.length))
      return checked(decodeInferRequest(parts, headerBytes));
    const text = Buffer.from(first.buffer, first.byteOffset, headerBytes).toString("latin1");
    const [start = "", id] = text.startsWith('{"id"') ? (leadingId.exec(text) ?? []) : [];
    const rest = text.slice(start.length);
    // What is no member, or a second id, is for the decoder to judge.
    const isMember = rest.startsWith('"') && !rest.startsWith('"id"');
    const key = isMember ? rest : text;
    const known = this.#heads.get(key);
    const quick = known && withData(known, id, parts, headerBytes);
    if (quick !== undefined) return quick;
    const request = checked(decodeInferRequest(parts, headerBytes));
    const head = headOf(request, id, bytesOf(parts) - headerBytes);
    if (head === undefined) return request;
    this.#heads.set(key, head);
    return { ...request, template: head.template };
  }
}

/** The request with that head; undefined when the body is shorter or longer than the head says. */
function withData(
  { parameters, inputs, outputs, bytes, template }: Head,
  id: string | undefined,
  parts: readonly Uint8Array[],
  headerBytes: number,
): InferRequest | undefined {
  if (bytesOf(parts) !== headerBytes + bytes) return undefined;
  const run = new ByteRun(parts);
  run.skip(headerBytes);
  const tensors: Tensor[] = [];
  for (const { about, bytes: size } of inputs) tensors.push(pieceTensor(about, run.take(size)));
  const request: InferRequest = { id, parameters, inputs: tensors, template };
  if (outputs !== undefined) request.outputs = outputs;
  return request;
}

function checked(request: InferRequest): InferRequest {
  priorityOf(request);
  timeoutUsOf(request);
  return request;
}

/**
 * Undefined when the head is not all that must be looked at: data may be in it, a second id behind the first, or there are
 * elements of which not all are allowed.
 */
function headOf(request: InferRequest, id: string | undefined, bytes: number): Head | undefined {
  const { parameters, outputs, inputs } = request;
  if (request.id !== id || bytes !== inputs.reduce((sum, input) => sum + dataBytes(input), 0))
    return undefined;
  if (inputs.some(({ datatype }) => elementBytes(datatype) === 0 || datatype === "BOOL")) return undefined;
  return {
    parameters: Object.freeze(parameters),
    inputs: inputs.map((input) => ({ about: aboutOf(input), bytes: dataBytes(input) })),
    outputs,
    bytes,
    template: {},
  };
}

function aboutOf({ name, datatype, shape, parameters }: Tensor): Omit<Tensor, "data"> {
  return parameters === undefined ? { name, datatype, shape } : { name, datatype, shape, parameters };
}

function bytesOf(parts: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const { length } of parts) bytes += length;
  return bytes;
}
