/** How devices compress and encrypt what they send, and how the answer is then sent back. */
import { z } from "zod";
import { text, whole } from "../../../../../../base/program/option-fields.ts";
import { formField, secretVariable } from "./form-field.ts";
import { celText, pathText } from "./input-fields.ts";

export const compressions = ["none", "gzip", "deflate", "zstd"] as const;
export type Compression = (typeof compressions)[number];

const keySource = z.strictObject({
  file: formField(
    text.optional(),
    "Key file",
    "YAML or JSON file: a key for each device by its name, or one key for all. A key is 32 bytes in base64 or hexadecimal.",
  ),
  env: formField(secretVariable.optional(), "Key variable", "Environment variable with the same content."),
});

export const codingFields = z.strictObject({
  part: formField(
    pathText.optional(),
    "Coded part",
    "Path to a text in base64 that holds the coded part of the message, such as data.telemetry. Default: the whole payload is coded.",
  ),
  compression: formField(
    z.enum([...compressions, "auto"]).default("none"),
    "Compression",
    "none, gzip, deflate (with or without zlib's header), zstd (Node 22.15 and later), or auto: gzip and zstd are known by their first bytes.",
  ),
  compressedIf: formField(
    celText.optional(),
    "Compressed if",
    "Condition that says whether this message is compressed, or a text that names how: data.deviceInfo.compression. Default: always.",
  ),
  encryption: formField(
    z.enum(["none", "aes-256-gcm"]).default("none"),
    "Encryption",
    "aes-256-gcm: a nonce of 12 bytes, the encrypted bytes, and a tag of 16 bytes. What is compressed as well was compressed first.",
  ),
  encryptedIf: formField(
    celText.optional(),
    "Encrypted if",
    "Condition that says whether this message is encrypted. Default: always. Note that whoever can send may then send in the clear.",
  ),
  keys: formField(keySource.optional(), "Keys", "Where the keys of the devices are."),
  mostDecodedBytes: formField(
    whole(1, 2 ** 30).default(16 * 2 ** 20),
    "Most decoded bytes",
    "A message that decodes to more is bad.",
  ),
  answer: formField(
    z.enum(["same", "none"]).default("same"),
    "Answer",
    "same: the answer is compressed and encrypted as the message was; none: it goes out as it is.",
  ),
  answerPart: formField(
    pathText.optional(),
    "Coded part of the answer",
    "Path in the answer's payload, such as outputs, that is coded where a part of the message was. Default: the whole payload.",
  ),
});

export type CodingConfig = Readonly<z.output<typeof codingFields>>;
