/** The brokers of an older rule file. */
import { showValue } from "../../../../../../base/error-text.ts";
import { brokerFields } from "../config/broker-fields.ts";
import type { NoteLoss, OldBroker, OldRules } from "./old-file.ts";

/** A broker of ours, and what was said at it that belongs to rules here. */
interface ConvertedBroker {
  readonly name: string;
  readonly url: string;
  readonly qos: number;
  readonly retain: boolean;
}

export interface ConvertedBrokers {
  /** As the rule file has them. */
  readonly list: readonly object[];
  /** @param clientId that a rule subscribes with */
  get(name: string, clientId: string | undefined): ConvertedBroker | undefined;
}

/** Words that older files have for fields of ours. */
const renamed: Readonly<Record<string, string>> = {
  username: "user",
  userName: "user",
  user: "user",
  keepAlive: "keepAlive",
  keepalive: "keepAlive",
};
const passwords = new Set(["password", "passwd", "pwd"]);

export function brokersOf(old: OldRules, note: NoteLoss): ConvertedBrokers {
  const entries = (old.mqtts ?? []).flatMap((each, index) => brokerOf(each, index, old, note));
  if (entries.length === 0) note("mqtts", "there is no broker, so that no rule can be made");
  return {
    list: entries.map(({ content }) => content),
    get: (name) => entries.find(({ oldName }) => oldName === name)?.broker,
  };
}

interface Entry {
  readonly oldName: string;
  readonly broker: ConvertedBroker;
  readonly content: object;
}

function brokerOf(given: OldBroker, index: number, old: OldRules, note: NoteLoss): Entry[] {
  const place = `mqtts[${index}]`;
  const { name: oldName, broker: address, qos = 1, retain = false, ...others } = given;
  const name = oldName.replaceAll(/[^\p{L}\p{N}_.-]/gu, "-").slice(0, 64) || "broker";
  if (name !== oldName) note(`${place}.name`, `is ${showValue(oldName)}; here it is ${name}`);
  const url = addressOf(address);
  if (!brokerFields.shape.url.safeParse(url).success) {
    note(`${place}.broker`, `is ${showValue(address)}, which is no address of a broker; it is left out`);
    return [];
  }
  if (![0, 1, 2].includes(qos)) note(`${place}.qos`, `is ${qos}; taken as 1`);
  const clientIds = new Set(
    (old.rules ?? []).filter(({ sub }) => sub.name === oldName).flatMap(({ sub }) => sub.clientId ?? []),
  );
  const [clientId, ...more] = clientIds;
  if (more.length > 0)
    note(
      place,
      `rules subscribe as ${[...clientIds].map(showValue).join(", ")}; here all do as ${showValue(clientId)}`,
    );
  const fields: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(others)) {
    const field = renamed[key];
    const fits = field !== undefined && brokerFields.shape[field as "user"].safeParse(value).success;
    if (fits) fields[field] = value;
    else if (passwords.has(key)) {
      fields["passwordEnv"] = `MQTT_PASSWORD_${name.replaceAll(/[^A-Za-z0-9]/g, "_").toUpperCase()}`;
      note(
        `${place}.${key}`,
        `a password does not belong in a rule file; put it in ${String(fields["passwordEnv"])} in the environment`,
      );
    } else note(`${place}.${key}`, `is ${showValue(value)}; it has no counterpart`);
  }
  const content = { name, url, version: "3.1.1", ...(clientId !== undefined && { clientId }), ...fields };
  return [{ oldName, content, broker: { name, url, qos: [0, 1, 2].includes(qos) ? qos : 1, retain } }];
}

/** A port alone, or no scheme, is usual there. */
function addressOf(address: string): string {
  return /^[a-z]+:\/\//i.test(address) ? address.replace(/\/$/, "") : `mqtt://${address}`;
}
