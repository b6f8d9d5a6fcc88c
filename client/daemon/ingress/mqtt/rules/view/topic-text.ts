/** Topics: which filter takes which, and what may be published to. */

/** Longest topic that is published to, in bytes of UTF-8. MQTT allows 65,535, brokers often less. */
export const mostTopicBytes = 4_096;
/** Longest level that a value of a message becomes. */
export const mostLevelBytes = 256;

const share = /^\$share\/([^/+#]+)\//;

/** The filter without `$share/GROUP/`. */
export function sharedFilter(filter: string): string {
  return filter.replace(share, "");
}

/** Whether a subscription to `filter` gets messages to `topic`. As MQTT says, wildcards do not stand for `$SYS` and the like. */
export function topicMatches(filter: string, topic: string): boolean {
  const wanted = sharedFilter(filter).split("/");
  const levels = topic.split("/");
  if (topic.startsWith("$") && /^[+#]/.test(wanted[0] ?? "")) return false;
  for (const [index, each] of wanted.entries()) {
    if (each === "#") return true;
    if (index >= levels.length || (each !== "+" && each !== levels[index])) return false;
  }
  return wanted.length === levels.length;
}

/** Why a filter cannot be subscribed to; undefined: it can. */
export function filterFault(filter: string): string | undefined {
  if (filter.startsWith("$share/") && !share.test(filter))
    return "allowed: $share/GROUP/FILTER, with a group without / + and #";
  const levels = sharedFilter(filter).split("/");
  if (sharedFilter(filter) === "") return "allowed: a topic that is not empty";
  if (levels.some((level, index) => level.includes("#") && (level !== "#" || index < levels.length - 1)))
    return "allowed: # alone as the last level";
  if (levels.some((level) => level.includes("+") && level !== "+")) return "allowed: + alone as a level";
  return textFault(filter);
}

/** Why a topic cannot be published to; undefined: it can. */
export function topicFault(topic: string): string | undefined {
  if (topic === "") return "allowed: a topic that is not empty";
  if (/[+#]/.test(topic)) return "allowed: a topic without + and #";
  if (topic.startsWith("$")) return "allowed: a topic that does not begin with $";
  const bytes = Buffer.byteLength(topic);
  if (bytes > mostTopicBytes) return `allowed: at most ${mostTopicBytes} bytes`;
  return textFault(topic);
}

/** Why a value cannot be one level of a topic; undefined: it can. Such a level never becomes two, nor a wildcard. */
export function levelFault(level: string): string | undefined {
  if (level === "") return "allowed: a name that is not empty";
  if (/[/+#]/.test(level) || level.startsWith("$"))
    return "allowed: a name without /, + and #, not beginning with $";
  if (Buffer.byteLength(level) > mostLevelBytes) return `allowed: at most ${mostLevelBytes} bytes`;
  return textFault(level);
}

/** The level with _ in place of each character that it cannot have. */
export function safeLevel(level: string): string {
  return level.replaceAll(/^\$|[/+#]|[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/gu, "_");
}

/** MQTT forbids NUL and lone surrogates, and lets brokers refuse control characters and noncharacters. */
function textFault(text: string): string | undefined {
  return /[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u.test(text)
    ? "allowed: well-formed Unicode without control characters"
    : undefined;
}
