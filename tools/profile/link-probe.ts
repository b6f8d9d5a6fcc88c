/**
 * Measures the link to a V2 server that does not tell its service times. The round trip is that of questions it answers
 * at once. The bandwidth comes from one request, sent as it is and with a mebibyte of white space after its JSON, which
 * the server ignores.
 */
import { medianOf } from "../../base/quantile.ts";
import { encodeInferRequest } from "../../protocol/encode.ts";
import type { WireBody } from "../../protocol/message.ts";
import type { ModelTimes, ProfiledTarget } from "../../client/policies/profile.ts";
import type { HttpTransport } from "../../client/transports/http-transport.ts";
import { replyFault } from "../../client/transports/reply-fault.ts";
import { mostUplinkMbps } from "../../client/daemon/profile/calibrate.ts";
import type { ExampleModel } from "../../client/daemon/profile/example-input.ts";

const paddingBytes = 524_288;
/** Calls of each kind, in turn. */
const rounds = 15;
/** Longest time of one call, in milliseconds. */
const callTimeoutMs = 30_000;

/** Rejects with a SpillwayError when the server does not answer. */
export async function probeLink(
  transport: HttpTransport,
  model: ExampleModel,
): Promise<ProfiledTarget["link"]> {
  const plain = encodeInferRequest(model.request(1), { binary: true });
  const long = padded(plain);
  const call = async (wire: WireBody): Promise<void> => {
    const reply = await transport.call(model.name, wire, callTimeoutMs);
    if (reply.status !== 200) throw replyFault(reply);
  };
  // The first call opens the connection.
  await call(long);
  const roundTripsMs: number[] = [];
  const differencesMs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    roundTripsMs.push(await timed(() => transport.get("/v2/health/live", callTimeoutMs)));
    const plainMs = await timed(() => call(plain));
    differencesMs.push((await timed(() => call(long))) - plainMs);
  }
  const msPerByte = Math.max(0, medianOf(differencesMs)) / paddingBytes;
  return { rttMs: medianOf(roundTripsMs), uplinkMbps: Math.min(mostUplinkMbps, 8 / (msPerByte * 1_000)) };
}

/** Times of whole calls, less what the link takes of them. */
export function lessLink(times: ModelTimes, { rttMs, uplinkMbps }: ProfiledTarget["link"]): ModelTimes {
  const serviceMs = Object.fromEntries(
    Object.entries(times.serviceMs).map(([rows, samples]) => {
      const linkMs = rttMs + (Number(rows) * times.requestBytes * 8) / (uplinkMbps * 1_000);
      return [rows, samples.map((wholeMs) => Math.max(0, wholeMs - linkMs))];
    }),
  );
  return { ...times, serviceMs };
}

/** The same message, with white space behind its JSON. */
function padded({ body, headerBytes }: WireBody): WireBody {
  const jsonBytes = headerBytes ?? body.byteLength;
  const long = new Uint8Array(body.byteLength + paddingBytes).fill(0x20);
  long.set(body.subarray(0, jsonBytes));
  long.set(body.subarray(jsonBytes), jsonBytes + paddingBytes);
  return headerBytes === undefined ? { body: long } : { body: long, headerBytes: jsonBytes + paddingBytes };
}

async function timed(call: () => Promise<unknown>): Promise<number> {
  const startedAtMs = performance.now();
  await call();
  return performance.now() - startedAtMs;
}
