"""What a run leaves for its readers: figures, terminal tables, `report.html`, comparisons, the index of all runs.

| module | what it writes |
|---|---|
| `draw` | one figure as PNG or GIF |
| `curves` | the learning curves of a history |
| `page` | `report.html` of one run |
| `comparison` | `comparison.html` of variants |
| `index` | `runs/index.html` |
| `terminal` | the same in short, in the terminal |
| `statistics` | intervals and tests |
| `wording` | metrics, numbers and times in words |
| `formula` | LaTeX to MathML, and to plain text |

Everything here reads plain data (`jaxlab/figures.py`, the `results.json` dict) and knows no task.
"""
