/** How the dashboards look: in the light or dark scheme of their reader, from 390 pixels of width on. */
export const pageStyle = `
:root {
  color-scheme: light dark;
  --ground: #f4f6f8; --card: #ffffff; --ink: #1c2128; --quiet: #57606a; --line: #d8dee4; --strong: #afb8c1;
  --accent: #0b61ad; --on-accent: #ffffff; --mark: #6e40aa;
  --ok: #116b39; --ok-ground: #e3f5e9; --warn: #7d4e00; --warn-ground: #fff3d6; --bad: #b42318; --bad-ground: #fdeaea;
  --c1: #1f77b4; --c2: #d98200; --c3: #0b8f6a; --c4: #c2408f; --c5: #c44a12; --c6: #7a5cd0; --c7: #2a9fd0; --c8: #7a7a1e;
  --heat: 31, 119, 180;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0d1117; --card: #161b22; --ink: #e6edf3; --quiet: #9aa5b1; --line: #2d343d; --strong: #57616d;
    --accent: #6cb6ff; --on-accent: #0d1117; --mark: #c297ff;
    --ok: #5fd38d; --ok-ground: #10281a; --warn: #f0b94a; --warn-ground: #2b210b; --bad: #ff8178; --bad-ground: #331614;
    --c1: #58a6e0; --c2: #f0a030; --c3: #2fc096; --c4: #e377b8; --c5: #f07b42; --c6: #a98bf0; --c7: #6fd0f5; --c8: #c0c04c;
    --heat: 88, 166, 224;
  }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0 auto; max-width: 1320px; padding: 0 1.25rem 3rem; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Noto Sans", "Noto Sans CJK SC", sans-serif; font-variant-numeric: tabular-nums; }
a { color: var(--accent); }
h1, h2, h3, p, ul, ol, dl, dd, figure { margin: 0; }
h1 { font-size: 1.3rem; line-height: 1.35; }
h2 { font-size: 1rem; }
code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 0.92em; overflow-wrap: anywhere; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.skip { position: absolute; left: 1rem; top: -4rem; padding: 0.5rem 1rem; background: var(--card); border-radius: 6px; z-index: 2; }
.skip:focus { top: 0.5rem; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
main:focus { outline: none; }
button, select, input { font: inherit; color: inherit; }
button { min-height: 2rem; padding: 0.15rem 0.8rem; border: 1px solid var(--strong); border-radius: 6px; background: var(--card); cursor: pointer; }
button:hover { border-color: var(--accent); }
button[aria-pressed="true"], button[type="submit"] { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
button:disabled { opacity: 0.6; cursor: default; }
select { min-height: 2rem; border: 1px solid var(--strong); border-radius: 6px; background: var(--card); padding: 0 0.4rem; max-width: 12rem; }
.bar { display: flex; flex-wrap: wrap; align-items: center; gap: 0.25rem 1rem; padding: 0.85rem 0; }
.brand { display: flex; align-items: center; gap: 0.5rem; }
.brand span { color: var(--quiet); }
#connection { color: var(--quiet); font-size: 0.87rem; margin-left: auto; }
#connection::before { content: ""; display: inline-block; width: 0.55rem; height: 0.55rem; margin-right: 0.45rem; border-radius: 50%; background: var(--strong); }
#connection[data-state="live"]::before { background: var(--ok); }
#connection[data-state="lost"]::before { background: var(--bad); }
#connection[data-state="lost"] { color: var(--bad); }
#notice { margin-bottom: 0.9rem; padding: 0.6rem 0.9rem; border-radius: 8px; background: var(--warn-ground); color: var(--warn); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 0.9rem 1rem; margin-bottom: 1rem; min-width: 0; }
.card > header { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: center; gap: 0.25rem 1rem; min-height: 2rem; }
.note { color: var(--quiet); font-size: 0.85rem; }
.empty { color: var(--quiet); padding: 1.6rem 0.5rem; text-align: center; }
.headline { border-left: 6px solid var(--ok); background: var(--ok-ground); padding: 1rem 1.2rem; }
.headline h1::before { margin-right: 0.5rem; font-weight: 700; }
.headline[data-level="ok"] h1::before { content: "✓"; color: var(--ok); }
.headline[data-level="warn"] { border-left-color: var(--warn); background: var(--warn-ground); }
.headline[data-level="warn"] h1::before { content: "!"; color: var(--warn); }
.headline[data-level="bad"] { border-left-color: var(--bad); background: var(--bad-ground); }
.headline[data-level="bad"] h1::before { content: "✕"; color: var(--bad); }
.headline h1, .headline li { overflow-wrap: anywhere; }
.headline ul { padding-left: 1.2rem; margin-top: 0.35rem; }
.headline ul:empty { display: none; }
.headline div { margin-top: 0.6rem; }
.headline ol { padding-left: 1.4rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); gap: 0.75rem; margin-bottom: 1rem; }
.tiles div { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 0.6rem 0.9rem; }
.tiles dt { color: var(--quiet); font-size: 0.82rem; }
.tiles dd { font-size: 1.35rem; font-weight: 650; line-height: 1.3; }
.tiles dd + dd { font-size: 0.8rem; font-weight: 400; color: var(--quiet); line-height: 1.4; }
.tiles .bad { color: var(--bad); }
.tiles .warn { color: var(--warn); }
.range { display: flex; flex-wrap: wrap; align-items: center; gap: 0.25rem 0; border: 0; padding: 0; margin: 0 0 0.75rem; }
.range label { cursor: pointer; }
.range input { position: absolute; opacity: 0; }
.range label span { display: block; padding: 0.2rem 0.9rem; border: 1px solid var(--strong); background: var(--card); }
.range label:first-of-type span { border-radius: 6px 0 0 6px; }
.range label:last-of-type span { border-radius: 0 6px 6px 0; border-left: 0; }
.range input:checked + span { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
.range input:focus-visible + span { outline: 2px solid var(--accent); outline-offset: 2px; }
#clock { margin-left: 0.9rem; }
.grid { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0 1rem; align-items: stretch; }
.chart { display: flex; flex-direction: column; }
.chart details { margin-top: auto; }
.legend { display: flex; flex-wrap: wrap; gap: 0.1rem 1.1rem; list-style: none; padding: 0; margin: 0.35rem 0 0.2rem; font-size: 0.85rem; min-height: 1.4rem; }
.legend li { display: flex; align-items: center; gap: 0.35rem; max-width: 100%; min-width: 0; }
.legend .label { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; max-width: 12rem; }
.mark { display: inline-block; flex: none; width: 1.1rem; height: 0; border-top: 3px solid var(--quiet); }
.mark.dashed { border-top-style: dashed; border-top-width: 2px; }
.mark.bound { border-color: var(--bad); }
${Array.from({ length: 8 }, (_, index) => `.mark.color${index + 1} { border-color: var(--c${index + 1}); }`).join("\n")}
.plot { width: 100%; min-height: 190px; }
details summary { cursor: pointer; color: var(--accent); font-size: 0.85rem; width: max-content; padding: 0.15rem 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 0.88rem; }
caption { text-align: left; }
th, td { text-align: left; padding: 0.36rem 0.9rem 0.36rem 0; border-bottom: 1px solid var(--line); vertical-align: top; font-weight: 400; }
th:last-child, td:last-child { padding-right: 0.2rem; }
thead th { color: var(--quiet); font-size: 0.8rem; vertical-align: bottom; white-space: nowrap; }
tbody th { overflow-wrap: anywhere; min-width: 7rem; max-width: 20rem; font-weight: 600; }
td { max-width: 34rem; }
td span, td { overflow-wrap: break-word; }
.number { text-align: right; white-space: nowrap; }
td small, th small { display: block; color: var(--quiet); font-size: 0.8rem; font-weight: 400; overflow-wrap: anywhere; }
tr:last-child > * { border-bottom: 0; }
.good { color: var(--ok); } .warn { color: var(--warn); } .bad { color: var(--bad); } .quiet { color: var(--quiet); }
${Array.from({ length: 6 }, (_, index) => `td.heat${index + 1} { background: rgba(var(--heat), ${(0.08 * (index + 1)).toFixed(2)}); }`).join("\n")}
#batches-table td { text-align: center; padding-right: 0.4rem; padding-left: 0.4rem; }
#batches-table thead th:not(:first-child) { text-align: center; padding-right: 0.4rem; padding-left: 0.4rem; }
#batches-table tbody th { min-width: 5rem; max-width: 9rem; }
#changes-table tbody th { min-width: 2rem; width: 3rem; }
#changes-table td:nth-child(3), #decisions-table td:nth-child(2) { min-width: 8rem; }
#targets-table tbody th { min-width: 11.5rem; }
#targets-table td:nth-child(2) { min-width: 8.5rem; }
#targets-table td:nth-child(7), #targets-table td:nth-child(8) { min-width: 10rem; }
#targets-table td:nth-child(9), #targets-table td:nth-child(10) { min-width: 7rem; }
#changes-wide, #models-wide, #events-wide { max-height: 26rem; overflow-y: auto; }
#decisions-wide { max-height: 36rem; overflow-y: auto; }
#batches-wide { max-height: 17rem; overflow-y: auto; }
#decisions-wide thead th, #changes-wide thead th, #models-wide thead th, #events-wide thead th, #batches-wide thead th { position: sticky; top: 0; background: var(--card); z-index: 1; }
.opener { min-height: 1.6rem; padding: 0 0.6rem; font-size: 0.82rem; }
.detail > td { background: var(--ground); padding: 0.8rem 1rem; max-width: none; }
.detail dl { display: flex; flex-wrap: wrap; gap: 0.3rem 1.8rem; margin: 0.5rem 0; }
.detail dt { color: var(--quiet); font-size: 0.8rem; }
.detail dd { overflow-wrap: anywhere; }
.detail table { width: auto; }
.detail .reason { max-width: 60rem; overflow-wrap: anywhere; }
form.card { max-width: 30rem; margin: 3rem auto; display: grid; gap: 0.7rem; padding: 1.5rem; }
form.card input { padding: 0.45rem 0.6rem; border: 1px solid var(--strong); border-radius: 6px; background: var(--ground); width: 100%; }
form.card p:empty { display: none; }
#login-error { color: var(--bad); }
@media (max-width: 820px) {
  .grid { grid-template-columns: minmax(0, 1fr); }
}
@media (max-width: 480px) {
  body { padding: 0 0.75rem 2rem; }
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0.5rem; }
  .tiles dd { font-size: 1.15rem; }
  .card { padding: 0.75rem; }
  h1 { font-size: 1.12rem; }
  #connection { margin-left: 0; width: 100%; order: 3; }
  #logout { margin-left: auto; }
  #clock { margin-left: 0; width: 100%; }
  .cards thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .cards, .cards tbody, .cards tr, .cards tbody th, .cards td { display: block; max-width: none; width: auto; text-align: left; }
  .cards > tbody > tr { padding: 0.5rem 0; border-bottom: 1px solid var(--line); }
  .cards > tbody > tr:last-child { border-bottom: 0; }
  .cards > tbody > tr > * { border: 0; padding: 0.1rem 0; display: grid; grid-template-columns: 7.2rem minmax(0, 1fr); column-gap: 0.6rem; }
  .cards > tbody > tr > *::before { content: attr(data-label); color: var(--quiet); font-weight: 400; font-size: 0.8rem; grid-row: 1 / span 2; padding-top: 0.1rem; }
  .cards > tbody > tr > * > * { grid-column: 2; justify-self: start; }
  .cards > tbody > tr.detail > td { display: block; padding: 0.6rem; }
  .cards > tbody > tr.detail > td::before { content: none; }
  #batches-table td, #batches-table thead th:not(:first-child) { padding-right: 0.2rem; padding-left: 0.2rem; }
}
@media (prefers-reduced-motion: no-preference) { button, .skip { transition: border-color 0.15s, top 0.15s; } }
`;
