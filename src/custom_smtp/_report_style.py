"""How a report looks: one style sheet, light and dark, wide and narrow, on screen and on paper."""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fbfaf7; --card: #ffffff; --ink: #1c2326; --soft: #667074; --line: #e6e2da;
  --main: #1f6660; --pale: #a9cbc6; --bad: #b4532a; --wash: #f3f0ea;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
  --serif: ui-serif, "Iowan Old Style", "Palatino Linotype", Palatino, Georgia, serif;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #121618; --card: #191f21; --ink: #e9e6df; --soft: #97a1a3; --line: #2b3335;
    --main: #74bfb5; --pale: #35605b; --bad: #e08a61; --wash: #1c2325;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 72px 40px 96px; max-width: 1040px; background: var(--paper); color: var(--ink);
  font: 15px/1.55 var(--sans); font-variant-numeric: tabular-nums; overflow-wrap: anywhere;
}
h1, h2, h3 { margin: 0; font-family: var(--serif); font-weight: 400; line-height: 1.2; text-wrap: balance; }
h1 { font-size: 44px; letter-spacing: -.01em; }
h2 { font-size: 26px; }
h3 { font: 600 12px/1.5 var(--sans); letter-spacing: .07em; text-transform: uppercase; color: var(--soft); }
p { margin: 0; }
section { margin-top: 72px; }
section > h2 + * { margin-top: 24px; }
.soft, .note { color: var(--soft); }
.note { margin-top: 14px; font-size: 13px; max-width: 70ch; }
.lead { margin-top: 18px; font: 20px/1.5 var(--serif); max-width: 60ch; }
.when { margin-bottom: 14px; font-size: 13px; color: var(--soft); }

.tiles { display: grid; grid-template-columns: repeat(4, 1fr); gap: 32px; margin: 48px 0 0; padding: 0; }
.tiles > div { border-top: 2px solid var(--ink); padding-top: 14px; }
.tiles dt { font-size: 13px; color: var(--soft); }
.tiles dd { margin: 4px 0 0; font: 40px/1.1 var(--serif); font-variant-numeric: tabular-nums lining-nums; }
.tiles dd small { display: block; margin-top: 6px; font: 13px/1.5 var(--sans); color: var(--soft); }

.row { display: grid; grid-template-columns: 148px 1fr 56px 56px; gap: 16px; align-items: center; padding: 7px 0; }
.row > :nth-child(n+3) { text-align: right; }
.bar { display: flex; height: 22px; background: var(--wash); border-radius: 3px; overflow: hidden; }
.human { background: var(--main); }
.machine { background: repeating-linear-gradient(135deg, var(--pale) 0 4px, transparent 4px 7px); }
.key i { display: inline-block; width: 14px; height: 11px; margin: 0 6px 0 20px; border-radius: 2px; }
.key i:first-child { margin-left: 0; }

.moments { display: grid; grid-template-columns: 148px 1fr 56px; gap: 8px 16px; align-items: end; padding-top: 8px; }
.moments svg { display: block; width: 100%; height: 38px; border-bottom: 1px solid var(--line); fill: var(--main); }
.moments svg.bad { fill: var(--bad); }
.moments > :last-child { text-align: right; }
.axis { display: flex; justify-content: space-between; font-size: 12px; color: var(--soft); }

.scroll { overflow-x: auto; }
.told { font-size: 13.5px; }
.told td:first-child { white-space: nowrap; }
.told th { white-space: nowrap; }
.links { font-size: 13px; }
table { width: 100%; border-collapse: collapse; }
th { padding: 0 12px 8px 0; text-align: left; font-size: 12px; font-weight: 500; color: var(--soft); }
td { padding: 8px 12px 8px 0; border-top: 1px solid var(--line); vertical-align: top; }
th:last-child, td:last-child { padding-right: 0; }
.n { text-align: right; white-space: nowrap; }
.code { white-space: nowrap; }
.people { font-size: 13.5px; }
.people td:nth-child(-n+2) { white-space: nowrap; }
.people td { padding-top: 6px; padding-bottom: 6px; }
.stage { white-space: nowrap; }
.stage::before {
  content: ""; display: inline-block; width: 8px; height: 8px; margin-right: 8px; border-radius: 50%;
  background: var(--pale); vertical-align: 1px;
}
.stage.good::before { background: var(--main); }
.stage.bad::before { background: var(--bad); }

.story { margin-bottom: 0; padding: 0; list-style: none; }
.story li { display: grid; grid-template-columns: 124px 1fr; gap: 24px; }
.story time { padding-top: 1px; text-align: right; white-space: nowrap; }
.story time small { display: block; font-size: 12px; color: var(--soft); }
.story li > div { position: relative; padding: 0 0 26px 28px; border-left: 2px solid var(--line); }
.story li:last-child > div { border-left-color: transparent; padding-bottom: 0; }
.story li > div::before {
  content: ""; position: absolute; left: -8px; top: 5px; width: 14px; height: 14px; border-radius: 50%;
  background: var(--soft); border: 3px solid var(--paper);
}
.story li:not(:last-child) > div { min-height: 62px; }
.story .good > div::before { background: var(--main); }
.story .bad > div::before { background: var(--bad); }
.story .by-machine > div::before { background: var(--paper); border: 2px dashed var(--soft); }
.story strong { font: 400 18px/1.3 var(--serif); }
.story .bad strong { color: var(--bad); }
.story .by-machine strong, .story .by-machine p { color: var(--soft); }
.story .by { margin-left: 12px; font-size: 12px; color: var(--soft); white-space: nowrap; }
.story p { max-width: 70ch; font-size: 14px; }
.story pre {
  margin: 14px 0 0; padding: 14px 18px; border: 1px solid var(--line); border-radius: 10px; background: var(--card);
  font: 12px/1.6 ui-monospace, "SF Mono", Menlo, Consolas, monospace; white-space: pre-wrap;
}
.story pre b { font-weight: 600; color: var(--bad); }

.campaign > header { display: flex; flex-wrap: wrap; gap: 4px 24px; align-items: baseline; }
.sentence { margin: 10px 0 24px !important; color: var(--soft); }
.mail { display: grid; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); gap: 32px; align-items: start; }
.frame { border: 1px solid var(--line); border-radius: 10px; overflow: hidden; background: var(--card); }
.frame dl {
  display: grid; grid-template-columns: auto 1fr; gap: 2px 14px; margin: 0; padding: 14px 18px; font-size: 13px;
}
.frame dt { color: var(--soft); }
.frame dd { margin: 0; }
iframe {
  display: block; width: 100%; height: 820px; border: 0; border-top: 1px solid var(--line); background: #fff;
}
.badge {
  display: inline-block; min-width: 24px; padding: 0 7px; border-radius: 9px; background: #ffd866; color: #222;
  font: 600 11px/18px var(--sans); text-align: center; white-space: nowrap;
}
footer { margin-top: 88px; padding-top: 20px; border-top: 1px solid var(--line); font-size: 13px; color: var(--soft); }
footer p { max-width: 75ch; }
footer p + p { margin-top: 8px; }

@media (max-width: 760px) {
  body { padding: 40px 20px 64px; }
  h1 { font-size: 34px; }
  section { margin-top: 56px; }
  .tiles { grid-template-columns: repeat(2, 1fr); gap: 28px 24px; }
  .tiles dd { font-size: 34px; }
  .row { grid-template-columns: 1fr auto 48px; gap: 4px 12px; }
  .row .bar { grid-row: 2; grid-column: 1 / -1; height: 14px; }
  .moments { grid-template-columns: 1fr auto; }
  .moments > :nth-child(2) { grid-row: 2; grid-column: 1 / -1; }
  .mail { grid-template-columns: minmax(0, 1fr); }
  .story li { grid-template-columns: 64px minmax(0, 1fr); gap: 14px; }
  .story li > div { padding-left: 20px; }
  .story time small { white-space: normal; }
  iframe { height: 560px; }
  .wide { display: none; }
  .people td:nth-child(-n+2) { white-space: normal; }
  .people td:first-child { min-width: 10.5em; }
}
@media print {
  :root {
    color-scheme: light; --paper: #fff; --card: #fff; --ink: #000; --soft: #555; --line: #ccc;
    --main: #1f6660; --pale: #a9cbc6; --bad: #b4532a; --wash: #f3f3f3;
  }
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  section { margin-top: 28pt; }
  iframe { height: 900px; }
  h2, h3, .row, .moments, tr, .tiles, .story li { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  .bar, .badge, .stage::before, .moments svg,
  .story li > div::before { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
