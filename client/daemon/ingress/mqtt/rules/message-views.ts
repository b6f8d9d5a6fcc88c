/** What rules see of a message, decoded once for all rules that decode it alike. */
import { SideField } from "../../../../../base/memory/side-field.ts";
import { type DecodedMessage, decodeMessage, type PayloadRule } from "./coding/decode-message.ts";
import type { BadMessage, MqttMessage } from "./message.ts";
import { orFault } from "./view/message-error.ts";

export class MessageViews {
  readonly #views = new SideField<MqttMessage, Map<string, DecodedMessage | BadMessage>>();

  /** @param how equal for rules that decode alike */
  of(message: MqttMessage, rule: PayloadRule, how: string): DecodedMessage | BadMessage {
    let views = this.#views.get(message);
    if (views === undefined) {
      views = new Map();
      this.#views.set(message, views);
    }
    let view = views.get(how);
    if (view === undefined) {
      view = orFault(() => decodeMessage(message, rule));
      views.set(how, view);
    }
    return view;
  }
}
