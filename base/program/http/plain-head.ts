/**
 * Reads heads of HTTP requests that have nothing unusual, and leaves all others to Node's HTTP server: what this refuses to
 * read is not wrong, it is only read elsewhere. So it takes less than HTTP allows, and never more.
 *
 *     POST /v2/models/m/infer HTTP/1.1     one method, an ASCII path
 *     Host: 127.0.0.1:8000                 once
 *     Content-Length: 1168                 once, in digits; no transfer coding, expectation or upgrade
 *     Connection: keep-alive               or no such line
 */

export interface PlainHead {
  readonly method: "POST";
  readonly url: string;
  /** By names in lower case, each value as it came. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly count: number;
  readonly bodyBytes: number;
  /** The head as it came, with the empty line at its end. One byte is one character. */
  readonly text: string;
}

/** Longest head, in bytes, and most headers. */
export const longestPlainHead = 8_192;
const mostPlainHeaders = 64;

const requestLine = /^POST (\/[!-~]*) HTTP\/1\.1$/;
/** A name of RFC 9110, and a value without control characters and without the blanks around it. Read in one pass. */
const headerLine =
  /^([\w!#$%&'*+.^`|~-]+):(?:[\t ]*([!-~\u0080-\u00ff]+(?:[\t ]+[!-~\u0080-\u00ff]+)*))?[\t ]*$/;
/** What changes how a message is read. */
const unusual = ["transfer-encoding", "expect", "upgrade", "trailer", "te", "keep-alive", "proxy-connection"];

/** @param text from the first byte to the empty line, as Latin-1 */
export function readPlainHead(text: string): PlainHead | undefined {
  const lines = text.slice(0, -4).split("\r\n");
  const url = requestLine.exec(lines[0] ?? "")?.[1];
  if (url === undefined || lines.length > mostPlainHeaders + 1) return undefined;
  const headers = new Map<string, string[]>();
  for (let at = 1; at < lines.length; at++) {
    const [, name, value = ""] = headerLine.exec(lines[at] ?? "") ?? [];
    if (name === undefined) return undefined;
    const key = name.toLowerCase();
    const values = headers.get(key);
    if (values === undefined) headers.set(key, [value]);
    else values.push(value);
  }
  for (const name of unusual) if (headers.has(name)) return undefined;
  const [bodyLength, ...otherLengths] = headers.get("content-length") ?? [];
  const connection = headers.get("connection");
  const isPlain =
    headers.get("host")?.length === 1 &&
    otherLengths.length === 0 &&
    /^\d{1,12}$/.test(bodyLength ?? "") &&
    (connection === undefined || (connection.length === 1 && connection[0]?.toLowerCase() === "keep-alive"));
  if (!isPlain) return undefined;
  return { method: "POST", url, headers, count: lines.length - 1, bodyBytes: Number(bodyLength), text };
}
