/** The look of a report's page, and its one script: each chart can be saved as a file of its own, for a talk. */

export const style = `
:root { color-scheme: light dark; --ink: #24292f; --faint: #d0d7de; --alarm: #cf222e; --ground: #ffffff; --card: #f6f8fa; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #dfe3e8; --faint: #3d444d; --alarm: #ff6b6b; --ground: #0d1117; --card: #161b22; }
}
body { margin: 0 auto; max-width: 1120px; padding: 1.5rem; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 0.75rem; }
h2 { font-size: 1.15rem; margin: 0; }
dl { display: flex; flex-wrap: wrap; gap: 0.25rem 1.75rem; margin: 0 0 1.25rem; }
dt { font-size: 0.78rem; opacity: 0.7; }
dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; white-space: nowrap; }
th, td { padding: 0.35rem 0.5rem; text-align: right; border-bottom: 1px solid var(--faint); }
th { font-size: 0.78rem; font-weight: 600; white-space: normal; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; }
tr.best td { font-weight: 700; }
figure { margin: 2rem 0; padding: 1rem; background: var(--card); border: 1px solid var(--faint); border-radius: 8px; }
figure svg { display: block; width: 100%; height: auto; }
figcaption, .note { font-size: 0.85rem; opacity: 0.85; }
header { display: flex; justify-content: space-between; align-items: baseline; }
button { font: inherit; font-size: 0.78rem; color: inherit; background: none; border: 1px solid var(--faint);
  border-radius: 5px; padding: 0.1rem 0.6rem; cursor: pointer; }
@media print { button { display: none; } figure { break-inside: avoid; } }
`;

/** Without the page's variables around it, a saved chart falls back to the colours of the light scheme. */
export const script = `
for (const button of document.querySelectorAll("figure button")) {
  button.addEventListener("click", () => {
    const figure = button.closest("figure");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([figure.querySelector("svg").outerHTML], { type: "image/svg+xml" }));
    link.download = figure.id + ".svg";
    link.click();
    URL.revokeObjectURL(link.href);
  });
}
`;
