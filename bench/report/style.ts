/** The page's style, for light and for dark. */
export const STYLE = `
:root { color-scheme: light dark; --paper: #fff; --ink: #1c2127; --faint: #667; --line: #dde1e6;
  --ours: #0a7a5c; --theirs: #7d8ba1; --limit: #b9a36b; --server: #bcc5d3; --store: #dcd3ea; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171b; --ink: #e6e8eb; --faint: #9aa4b2; --line: #2c323a;
  --ours: #35b98e; --theirs: #73839c; --limit: #a08c58; --server: #3d4858; --store: #4b425c; --bad: #ff8a80; } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 24px 20px 60px; }
h1 { font-size: 26px; line-height: 1.2; } h2 { font-size: 19px; margin: 38px 0 8px; }
.note, .hint { color: var(--faint); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); gap: 18px 28px; margin: 12px 0; }
svg { width: 100%; height: auto; font-size: 12px; } svg text { fill: var(--ink); }
svg .title { font-weight: 600; } svg .hint, svg .value { fill: var(--faint); } svg .value { font-variant-numeric: tabular-nums; }
rect.ours { fill: var(--ours); } rect.theirs { fill: var(--theirs); } rect.limit { fill: var(--limit); }
rect.server { fill: var(--server); } rect.store { fill: var(--store); } line.range { stroke: var(--ink); stroke-width: 1.5; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: 13.5px; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 10px; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
tbody th, table.text th, table.text td, td:last-child { text-align: left; } thead th { font-weight: 500; color: var(--faint); }
tr.ours th { color: var(--ours); } table.text td { white-space: normal; } table.text th { vertical-align: top; font-weight: 600; }
.failed { color: var(--bad); }
`;
