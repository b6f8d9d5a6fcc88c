/** Bytes that are written as text: base64, as a data: URL too, and hexadecimal. What Node would pass over is refused. */

const dataUrl = /^data:[^,]{0,200};base64,/;

/** The bytes; undefined when the text is no base64. Line breaks are taken, and so is the alphabet of URLs. */
export function bytesFromBase64(text: string): Uint8Array | undefined {
  const digits = text.replace(dataUrl, "").replaceAll(/[\r\n]/g, "");
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(digits)) return undefined;
  const padding = digits.indexOf("=");
  const bare = padding === -1 ? digits : digits.slice(0, padding);
  // One digit more than whole bytes need tells of nothing.
  return bare.length % 4 === 1 ? undefined : Buffer.from(bare, "base64");
}

/** The bytes; undefined when the text is no hexadecimal. */
export function bytesFromHex(text: string): Uint8Array | undefined {
  const digits = text.replace(/^0x/i, "");
  return digits.length % 2 === 0 && /^[0-9a-fA-F]*$/.test(digits) ? Buffer.from(digits, "hex") : undefined;
}
