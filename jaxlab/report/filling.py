"""Filling the page templates."""

from pathlib import Path
from typing import Any

TEMPLATES = Path(__file__).parent / 'templates'


def fill(template: str, **context: Any) -> str:
    """The page made from a template; everything is escaped, except what a filter has typeset."""
    import jinja2
    from markupsafe import Markup

    from jaxlab.report import formula, wording

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(
        with_math=lambda text: Markup(formula.with_math(str(text))),
        formula=lambda latex: Markup(formula.mathml(latex, block=True)),
        result=lambda text, after='': Markup(formula.result_html(text, after)),
        continued=formula.continued,
        number=wording.number,
        words=wording.words,
        seconds=wording.seconds,
    )
    return environment.get_template(template).render(**context)
