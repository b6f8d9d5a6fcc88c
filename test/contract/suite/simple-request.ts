/** The request that the conformance suite asks most: one row of the model `simple`. */

export const ones = Array.from({ length: 16 }, () => 1);
export const count = Array.from({ length: 16 }, (_, index) => index);
export const input = (name: string, data: unknown, shape = [1, 16]): object => ({
  name,
  datatype: "INT32",
  shape,
  data,
});
export const simple = { id: "42", inputs: [input("INPUT0", count), input("INPUT1", ones)] };
export const infer = "/v2/models/simple/infer";
