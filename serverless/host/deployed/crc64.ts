/** CRC-64 (ECMA-182, reflected), the checksum of code packages, on halves of 32 bits because BigInt is slow. */

/** The polynomial with its bits reversed: the upper half, then the lower. */
const polynomial = [0xc96c5795, 0xd7870f42] as const;

const [uppers, lowers] = tables();

function tables(): [Uint32Array, Uint32Array] {
  const upperTable = new Uint32Array(256);
  const lowerTable = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte += 1) {
    let [upper, lower] = [0, byte];
    for (let bit = 0; bit < 8; bit += 1) {
      const carry = lower & 1;
      lower = (lower >>> 1) | (upper << 31);
      upper >>>= 1;
      if (carry === 0) continue;
      upper ^= polynomial[0];
      lower ^= polynomial[1];
    }
    upperTable[byte] = upper;
    lowerTable[byte] = lower;
  }
  return [upperTable, lowerTable];
}

/** The checksum as a decimal number: that of the text `123456789` is 11051210869376104954. */
export function crc64(bytes: Uint8Array): string {
  let [upper, lower] = [0xffffffff, 0xffffffff];
  for (const byte of bytes) {
    const at = (lower ^ byte) & 255;
    lower = ((lower >>> 8) | (upper << 24)) ^ (lowers[at] ?? 0);
    upper = (upper >>> 8) ^ (uppers[at] ?? 0);
  }
  return ((BigInt(~upper >>> 0) << 32n) | BigInt(~lower >>> 0)).toString();
}
