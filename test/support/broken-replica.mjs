/** A replica that says it has a model, and answers its first call in a way that its model's version names. */
import { Socket } from "node:net";

const channel = new Socket({ fd: 4 });

process.on("message", ({ model }) => {
  const tensor = { name: "x", datatype: "UINT8", shape: [-1] };
  const metadata = { name: model.name, platform: "none", inputs: [tensor], outputs: [tensor] };
  process.send({ kind: "loaded", loaded: { metadata } });
  channel.once("data", () => {
    // The beginning of a frame whose head has 100 bytes.
    const prefix = Buffer.alloc(16);
    prefix.write("SPWJ");
    prefix.writeUInt32LE(100, 4);
    if (model.version === "garbage") channel.write("this is no frame at all");
    else if (model.version === "empty-head") channel.write(Buffer.concat([prefix, Buffer.alloc(104)]));
    else channel.write(prefix.subarray(0, 10), () => process.exit(7));
  });
});
process.on("disconnect", () => process.exit(0));
