/** Draws charts as SVG text with ECharts, without a browser. It alone loads ECharts, and only when it is called. */
import { loadPackage } from "../../base/optional-package.ts";
import type { Chart } from "./report.ts";
import { chartWidth, textStyle } from "./style.ts";

/** Each chart as one `svg` element that takes the width it is given. */
export async function renderCharts(charts: readonly Chart[]): Promise<string[]> {
  const { init } = loadPackage("echarts", "--report");
  return charts.map(({ height, option }) => {
    const drawing = init(null, null, { renderer: "svg", ssr: true, width: chartWidth, height });
    drawing.setOption({ ...option, animation: false, textStyle, backgroundColor: "transparent" });
    const svg = drawing.renderToSVGString({ useViewBox: true });
    drawing.dispose();
    return svg;
  });
}
