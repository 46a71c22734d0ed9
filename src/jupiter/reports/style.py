"""How the page looks, by day and by night."""

CSS = """
:root { color-scheme: light dark; --ink: #16191d; --faint: #667085; --paper: #f6f7f9;
  --card: #fff; --line: #e4e7ec; --lane: #f0f2f5; --edge: #98a2b3; --accent: #0072b2; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7eaee; --faint: #98a2b3; --paper: #0f1215;
  --card: #181c21; --line: #2a3038; --lane: #20262d; --edge: #667085; --accent: #56b4e9; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 36px 24px 24px; }
h1 { font-size: 34px; line-height: 1.15; margin: 0; letter-spacing: -0.02em; }
header p { margin: 6px 0 26px; color: var(--faint); font-size: 17px; }
header b { color: var(--ink); font-weight: 600; }
h2 { font-size: 15px; font-weight: 600; margin: 0 0 14px; color: var(--faint); }
section { margin-bottom: 20px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(210px, 1fr)); gap: 20px; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: 18px 20px; border-top: 4px solid var(--accent); }
.tile.good { border-top-color: #009e73; } .tile.bad { border-top-color: #d55e00; }
.tile b { display: block; font-size: 29px; line-height: 1.15; letter-spacing: -0.02em;
  font-variant-numeric: tabular-nums; }
.tile span { display: block; font-weight: 500; } .tile small { color: var(--faint); }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 470px), 1fr));
  gap: 20px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: 18px 20px; min-width: 0; margin-bottom: 20px; } .pair .card { margin-bottom: 0; }
.scroll { overflow-x: auto; }
svg { display: block; margin: 0 auto; font: 13px system-ui, sans-serif; fill: var(--ink); height: auto; }
svg .small { font-size: 11px; } svg .strong { font-weight: 600; } svg .faint { fill: var(--faint); }
svg .middle { text-anchor: middle; } svg .end { text-anchor: end; }
svg .edge { fill: none; stroke: var(--edge); stroke-width: 1.4; }
svg .grid { stroke: var(--line); stroke-width: 1; } svg .lane { fill: var(--lane); }
svg .curve { fill: none; stroke-width: 2.4; stroke-linejoin: round; }
svg .link { fill: none; stroke-linecap: round; } svg .idle { stroke: var(--line); }
svg .used { stroke: var(--edge); opacity: .8; } svg .dot { stroke: var(--card); stroke-width: 3; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 500; color: var(--faint); font-size: 13px; white-space: nowrap; }
th, td { padding: 6px 12px 6px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tbody tr:last-child td { border-bottom: 0; } .n { text-align: right; white-space: nowrap; }
td:last-child, th:last-child { padding-right: 0; }
ul { list-style: none; margin: 0; padding: 0; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin-top: 14px; font-size: 13px; }
.legend i, .busy i { display: inline-block; width: 12px; height: 12px; border-radius: 3px;
  margin-right: 7px; vertical-align: -1px; }
.busy li { display: grid; grid-template-columns: 20px minmax(80px, 1fr) 3fr 52px; gap: 8px;
  align-items: center; padding: 7px 0; } .busy span { overflow: hidden; text-overflow: ellipsis; }
.busy b { text-align: right; font-variant-numeric: tabular-nums; }
.busy u { display: block; height: 12px; border-radius: 4px; background: var(--lane); overflow: hidden; }
.busy s { display: block; height: 100%; } footer { color: var(--faint); font-size: 13px; }
summary { cursor: pointer; } dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 18px; }
dd { margin: 0; color: var(--ink); } footer p { margin: 14px 0 0; }
"""
