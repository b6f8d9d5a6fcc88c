/** The source of a handler that takes so many bytes and does nothing with them. */
export const noOpHandler = (bytes: number): string => `
  export const inputs = [{ name: "x", datatype: "UINT8", shape: [-1, ${bytes}] }];
  export const outputs = [{ name: "y", datatype: "UINT8", shape: [-1, 1] }];
  export const predict = ([x]) => [
    { name: "y", datatype: "UINT8", shape: [x.shape[0], 1], data: new Uint8Array(x.shape[0]) },
  ];
`;
