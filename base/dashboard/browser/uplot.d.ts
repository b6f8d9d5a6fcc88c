/** uPlot as the server has it beside these modules. */
export { default } from "uplot";
