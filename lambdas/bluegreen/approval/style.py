"""How the page looks: on a phone first, in light and dark, with nothing to load."""

STYLE = """
:root { color-scheme: light dark; --page: #f4f6f8; --card: #fff; --text: #17212b; --quiet: #4d5b69; --line: #d3dae1;
  --yes: #0b6b3a; --no: #a3262a; --focus: #0b5fd0; --said: #e6f1fb; --bad: #fdecea; }
@media (prefers-color-scheme: dark) { :root { --page: #10161c; --card: #19222b; --text: #e9eef3; --quiet: #a9b6c3;
  --line: #35424f; --yes: #17753f; --no: #b83a3f; --focus: #7db4ff; --said: #16304a; --bad: #45201f; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); overflow-wrap: anywhere;
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; }
a { color: inherit; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; }
.skip { display: inline-block; margin-top: .6rem; padding: .55rem 1rem; border: 1px solid var(--line);
  border-radius: .4rem; background: var(--card); font-weight: 600; }
header, main, footer { max-width: 72rem; margin: 0 auto; padding: 0 1rem; }
header { padding-top: 1.25rem; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .35rem; }
h2 { font-size: 1.15rem; line-height: 1.3; margin: 0 0 .5rem; }
p { margin: .5rem 0; }
.quiet, footer { color: var(--quiet); font-size: .9rem; }
header .quiet { margin: 0 0 .2rem; }
.grid { display: grid; gap: 1rem; align-items: start; margin: 1rem 0; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem 1.1rem; }
.said { background: var(--said); border-left: .35rem solid var(--focus); border-radius: .4rem; padding: .8rem 1rem;
  margin: 1rem 0 0; font-weight: 600; }
.bad { background: var(--bad); border-color: var(--no); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: .5rem 0; }
dt { grid-column: 1; color: var(--quiet); }
dd { grid-column: 2; margin: 0; }
ul { margin: .25rem 0 .75rem; padding-left: 1.2rem; }
li { margin: .2rem 0; }
.more { display: block; color: var(--quiet); }
.evidence { font-variant-numeric: tabular-nums; }
.forms { display: grid; gap: 1rem; }
label { display: block; font-weight: 600; margin-top: .6rem; }
label span { font-weight: 400; color: var(--quiet); }
input, textarea { width: 100%; margin-top: .2rem; padding: .55rem .65rem; font: inherit; color: inherit;
  background: var(--page); border: 1px solid var(--quiet); border-radius: .4rem; }
textarea { min-height: 4.5rem; resize: vertical; }
button { width: 100%; min-height: 2.9rem; margin-top: .9rem; padding: .6rem 1rem; font: inherit; font-weight: 700;
  color: #fff; background: var(--yes); border: 0; border-radius: .4rem; cursor: pointer; }
button.no { background: var(--no); }
.one { max-width: 40rem; }
footer { padding-bottom: 1.5rem; }
@media (max-width: 30rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { grid-column: 1; }
  dt { margin-top: .45rem; } }
@media (min-width: 60rem) { .grid { grid-template-columns: minmax(0, 1fr) 22rem; }
  .forms { position: sticky; top: 1rem; } h1 { font-size: 1.9rem; }
  .skip:not(:focus) { position: absolute; left: -100rem; } }
@media print { .forms, .skip { display: none; } body { background: none; } }
"""
