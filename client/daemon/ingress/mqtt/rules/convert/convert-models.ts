/** The model of a function of an older rule file. */
import { showValue } from "../../../../../../base/error-text.ts";
import type { NoteLoss, OldFunction } from "./old-file.ts";

/** Its name, or name, zip and checksum of what the edge installs. */
export function modelOf(
  { modelName, modelAddress, modelMd5 }: OldFunction,
  place: string,
  note: NoteLoss,
): string | object {
  const name = modelName.replaceAll(/[/\\]/g, "-").trim();
  if (name !== modelName) note(`${place}.modelName`, `is ${showValue(modelName)}; here it is ${name}`);
  if (modelAddress === undefined) {
    if (modelMd5 !== undefined) note(`${place}.modelMd5`, "stands without an address");
    return name;
  }
  const isMd5 = modelMd5 !== undefined && isDigest(modelMd5);
  if (isMd5) return { name, zip: modelAddress, md5: modelMd5 };
  if (modelMd5 !== undefined)
    note(
      `${place}.modelMd5`,
      `is ${showValue(modelMd5)}, which is no MD5 of 16 bytes in base64 or hexadecimal`,
    );
  if (!/^https?:/i.test(modelAddress)) return { name, zip: modelAddress };
  note(
    `${place}.modelAddress`,
    `is ${showValue(modelAddress)}; without a checksum nothing is installed from it: add zip and sha256 to the rule, or the model to the edge`,
  );
  return name;
}

function isDigest(text: string): boolean {
  return (
    /^[0-9a-fA-F]{32}$/.test(text) ||
    (/^[A-Za-z0-9+/]{22}==$/.test(text) && Buffer.from(text, "base64").length === 16)
  );
}
