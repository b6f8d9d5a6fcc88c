/** A model that is a handler alone: it answers each text in capitals. Strings are elements of BYTES, each behind its length. */
export const inputs = [{ name: "text", datatype: "BYTES", shape: [-1] }];
export const outputs = [{ name: "text", datatype: "BYTES", shape: [-1] }];

export function preprocess([text]) {
  const shouted = [];
  for (let at = 0; at < text.data.length;) {
    const length = new DataView(text.data.buffer, text.data.byteOffset).getUint32(at, true);
    const element = Buffer.from(text.data.subarray(at + 4, at + 4 + length));
    const answer = Buffer.from(`${element.toString().toUpperCase()}!`);
    const header = Buffer.alloc(4);
    header.writeUInt32LE(answer.length);
    shouted.push(header, answer);
    at += 4 + length;
  }
  return { inputs: [{ ...text, data: new Uint8Array(Buffer.concat(shouted)) }] };
}
