/** A handler of pictures without a package of its own: it answers the mean colour of each as JSON. */
export const inputs = [{ name: "image", datatype: "BYTES", shape: [-1] }];
export const outputs = [{ name: "shade", datatype: "BYTES", shape: [-1] }];

export async function preprocess([image], { files, decodeImage, resize, jsonTensor }) {
  const shades = [];
  for (const file of files(image)) {
    const picture = await decodeImage(file);
    const { data } = await resize(picture, { width: 1, height: 1 });
    const [red, green, blue] = data;
    shades.push({ width: picture.width, height: picture.height, red, green, blue });
  }
  return { inputs: [jsonTensor("shade", shades)] };
}
