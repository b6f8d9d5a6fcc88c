/** What the daemon tells of MQTT over HTTP: what waits, the state of brokers and rules, and the schema of the rule file. */
import type { Hono } from "hono";
import { route } from "../../../../protocol/server/route.ts";
import type { MqttIngress } from "./mqtt-ingress.ts";
import { mqttConfigSchema } from "./rules/config/mqtt-config.ts";

export function addMqttRoutes(app: Hono, mqtt: Pick<MqttIngress, "sizes" | "status">): void {
  // The names are those that operators of plants know; more than 0 for long means a backlog.
  route(app, "GET", ["/queue_size_metrics"], (context) => {
    const sizes = Array.from(mqtt.sizes(), ([rule, { preQueue, postQueue }]) => {
      return { sub_process_name: rule, pre_queue: preQueue, post_queue: postQueue };
    });
    const sum = (key: "pre_queue" | "post_queue"): number => sizes.reduce((all, each) => all + each[key], 0);
    return context.json({
      queue_size_metrics: sizes,
      pre_queue: sum("pre_queue"),
      post_queue: sum("post_queue"),
    });
  });
  route(app, "GET", ["/admin/mqtt"], (context) => context.json(mqtt.status()));
  route(app, "GET", ["/admin/mqtt/schema"], (context) => context.json(mqttConfigSchema()));
}
