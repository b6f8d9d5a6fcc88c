/** What `doctor` learns of a server that the file names: whether it answers, what it is, and how its clock goes. */
import { withoutUser } from "../config/check-config.ts";
import { fact, fault, type Finding } from "./finding.ts";

/** How long a server may take to answer, in milliseconds. */
const longestAnswerMs = 3_000;
/** Most bytes of an answer that are read. */
const mostBytes = 65_536;
/** From here on clocks that differ are told, in milliseconds: the header counts seconds. */
const toldSkewMs = 2_000;
/** Most of what a server says of itself that is shown, in characters. */
const longestName = 100;

/**
 * @param place where the file names it
 * @param url `http:` or `https:`
 */
export async function serverFinding(place: string, url: string): Promise<Finding> {
  const shown = withoutAll(url);
  const signal = AbortSignal.timeout(longestAnswerMs);
  try {
    const { username, password } = new URL(url);
    const base = new URL(url);
    base.username = base.password = base.search = "";
    base.pathname = `${base.pathname.replace(/\/$/, "")}/v2`;
    const headers =
      username === ""
        ? {}
        : {
            authorization: `Basic ${btoa(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`)}`,
          };
    const startedAtMs = Date.now();
    const response = await fetch(base, { headers, signal, redirect: "manual" });
    const endedAtMs = Date.now();
    const text = await readSome(response);
    const skew = skewText(response.headers.get("date"), startedAtMs, endedAtMs);
    if (!response.ok) return fact(place, `${shown} answers ${response.status}${skew}`);
    return fact(place, `${shown} answers: ${nameIn(text)}${skew}`);
  } catch (error) {
    return fault(place, `${shown} does not answer: ${whyNot(error)}`);
  }
}

/** Without user, password and query, which may be secrets. */
function withoutAll(url: string): string {
  return withoutUser(url).replace(/[?#].*/s, "");
}

async function readSome(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk as Uint8Array);
    bytes += (chunk as Uint8Array).length;
    if (bytes > mostBytes) break;
  }
  return Buffer.concat(chunks).toString();
}

/** Name and version as V2's server metadata has them. */
function nameIn(text: string): string {
  try {
    const { name, version } = JSON.parse(text) as { name?: unknown; version?: unknown };
    if (typeof name === "string")
      return `${name} ${typeof version === "string" ? version : ""}`.trim().slice(0, longestName);
  } catch {
    // Another kind of server.
  }
  return "no V2 server";
}

function skewText(date: string | null, startedAtMs: number, endedAtMs: number): string {
  const theirMs = date === null ? Number.NaN : Date.parse(date);
  if (Number.isNaN(theirMs)) return "";
  // It is cut to seconds.
  const aheadMs = theirMs + 500 - (startedAtMs + endedAtMs) / 2;
  if (Math.abs(aheadMs) < toldSkewMs) return ", clocks agree";
  return `, its clock is ${Math.round(Math.abs(aheadMs) / 1_000)} s ${aheadMs > 0 ? "ahead" : "behind"}`;
}

function whyNot(error: unknown): string {
  const { name, message, cause } = error as Error;
  if (name === "TimeoutError") return `nothing within ${longestAnswerMs / 1_000} s`;
  const { code } = (cause ?? {}) as { code?: string };
  return code ?? message;
}
