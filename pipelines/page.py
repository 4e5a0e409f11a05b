"""One self-contained HTML page: light and dark, printable, no script and nothing to fetch."""

from html import escape
from pathlib import Path

from recsys.folders import write_text

_COLOURS = (
    ("#1f6fb4", "#6db3f2"),
    ("#d1495b", "#f2808f"),
    ("#2e8b57", "#6fd39b"),
    ("#b7791f", "#f0b755"),
    ("#6b4fa0", "#b39ae6"),
    ("#0f8b8d", "#5fd0d2"),
    ("#8c564b", "#c79388"),
    ("#c2528b", "#f09cc6"),
    ("#5b6770", "#a9b5be"),
    ("#7a8b00", "#c3d64b"),
)
_BASE = """
:root{color-scheme:light dark;--ink:#1c2330;--dim:#5d6778;--paper:#fff;--line:#dde2ea;
--warn:#9a5b00}
*{box-sizing:border-box}
body{font:15px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--paper);margin:0 auto;
max-width:60rem;padding:1.5rem}
h1{font-size:1.5rem;margin:0 0 .3rem}h2{font-size:1.15rem;margin:2rem 0 .5rem}
p.dim,td.dim{color:var(--dim)}p.warn{color:var(--warn);font-weight:600}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:.25rem .5rem;border-bottom:1px solid var(--line)}
th:first-child,td:first-child{text-align:left}
.wide{overflow-x:auto}svg{width:100%;height:auto;max-width:44rem}
svg text{fill:var(--dim);font-size:11px}.end{text-anchor:end}.mid{text-anchor:middle}
.grid{stroke:var(--line)}.ref{stroke:var(--warn);stroke-dasharray:4 3;stroke-width:1.5}
polyline{fill:none;stroke-width:2}svg line[class^=s]{stroke-width:2.5}
.legend span{margin-right:1rem;white-space:nowrap}.legend i{display:inline-block;width:.8rem;
height:.8rem;border-radius:2px;margin-right:.35rem;vertical-align:-1px}
@media print{body{max-width:none;padding:0}section{break-inside:avoid}}
"""
_DARK = "--ink:#e8ecf3;--dim:#9aa6b8;--paper:#12161d;--line:#2a3240;--warn:#ffb454"


def table(head: list[str], rows: list[list[str]]) -> str:
    """Format a table of texts; the first column names the row."""
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f'<div class="wide"><table><tr>{top}</tr>{body}</table></div>'


def section(title: str, *parts: str) -> str:
    """Format a titled part of the page; parts are HTML."""
    return f"<section><h2>{escape(title)}</h2>{''.join(parts)}</section>"


def text(words: str, kind: str = "") -> str:
    """Format a paragraph of plain words; ``kind`` is a class such as dim or warn."""
    return f'<p class="{kind}">{escape(words)}</p>'


def write(path: Path, title: str, *parts: str) -> None:
    """Write the page, whole or not at all.

    Raises:
        DataError: The place cannot be written to.
    """
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_style()}</style></head>"
        f"<body><h1>{escape(title)}</h1>{''.join(parts)}</body></html>\n"
    )
    write_text(path, page)


def _style() -> str:
    light = "".join(f"--c{i}:{pair[0]};" for i, pair in enumerate(_COLOURS))
    dark = "".join(f"--c{i}:{pair[1]};" for i, pair in enumerate(_COLOURS))
    marks = "".join(
        f".s{i}{{stroke:var(--c{i})}}.f{i}{{fill:var(--c{i})}}.b{i}{{background:var(--c{i})}}"
        for i in range(len(_COLOURS))
    )
    night = f"@media screen and (prefers-color-scheme:dark){{:root{{{_DARK};{dark}}}}}"
    return f"{_BASE}:root{{{light}}}{night}{marks}"
