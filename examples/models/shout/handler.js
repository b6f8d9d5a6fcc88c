/** A model that is a handler alone: it answers each text in capitals, with tools that it is given. */
export const inputs = [{ name: "text", datatype: "BYTES", shape: [-1] }];
export const outputs = [{ name: "text", datatype: "BYTES", shape: [-1] }];

export function preprocess([text], { texts, textTensor }) {
  return {
    inputs: [
      textTensor(
        "text",
        texts(text).map((each) => `${each.toUpperCase()}!`),
      ),
    ],
  };
}
