"""LaTeX as MathML for pages, and as plain text for terminals."""

import html
import re

GREEK_NAMES = (
    'alpha beta gamma delta epsilon varepsilon zeta eta theta kappa lambda mu nu xi pi rho sigma tau phi varphi chi '
    'psi omega Gamma Delta Theta Lambda Pi Sigma Phi Psi Omega'
)
GREEK = dict(zip(GREEK_NAMES.split(), 'αβγδεεζηθκλμνξπρστφφχψωΓΔΘΛΠΣΦΨΩ', strict=True))
SYMBOLS = {
    **GREEK,
    'cdot': '·',
    'times': '×',
    'odot': '⊙',
    'partial': '∂',
    'nabla': '∇',
    'sum': 'Σ',
    'prod': 'Π',
    'le': '≤',
    'leq': '≤',
    'ge': '≥',
    'geq': '≥',
    'ne': '≠',
    'neq': '≠',
    'approx': '≈',
    'sim': '~',
    'to': '→',
    'rightarrow': '→',
    'leftarrow': '←',
    'gets': '←',
    'infty': '∞',
    'in': '∈',
    'mid': '|',
    'Vert': '‖',
    'lVert': '‖',
    'rVert': '‖',
    'top': 'T',
    'quad': '  ',
    'qquad': '    ',
    'ldots': '…',
    'dots': '…',
    'cdots': '…',
    'int': '∫',
    'pm': '±',
    'propto': '∝',
    'ast': '*',
    'langle': '⟨',
    'rangle': '⟩',
    'oplus': '⊕',
    'Rightarrow': '⇒',
    'mapsto': '↦',
    'wedge': '∧',
    'vee': '∨',
    'neg': '¬',
    'ell': 'ℓ',
    'star': '*',
    'circ': '∘',
    'lfloor': '⌊',
    'rfloor': '⌋',
    'lceil': '⌈',
    'rceil': '⌉',
    'll': '≪',
    'gg': '≫',
    'equiv': '≡',
    'lt': '<',
    'gt': '>',
    'vdots': '⋮',
    'cup': '∪',
    'cap': '∩',
}
ACCENTS = {'hat': '\u0302', 'bar': '\u0304', 'tilde': '\u0303', 'vec': '\u20d7', 'dot': '\u0307', 'mathring': '\u030a'}
RAISED = str.maketrans('0123456789+-n', '⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ')
LOWERED = str.maketrans('0123456789+-aeijklmnoprstuvx', '₀₁₂₃₄₅₆₇₈₉₊₋ₐₑᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ')
MATH = re.compile(r'(?<!\\)\$([^$]+?)(?<!\\)\$')


def mathml(latex: str, block: bool = False) -> str:
    """One formula as MathML; what cannot be parsed appears as its source, so nothing is lost and nothing breaks."""
    from latex2mathml.converter import convert

    try:
        code = convert(_for_converter(latex), display='block' if block else 'inline')
    except (
        Exception
    ):  # the parser's errors are of many kinds, and a report must not fail on a typing error in a formula
        return f'<code>{html.escape(latex)}</code>'
    code = re.sub(r'<mi>&</mi>|<mi>&amp;</mi>', '', code)
    before = '|'.join(f'&#x0*{ord(each):X};' for each in '=(,[·<>≤≥')  # a minus after one of these is a sign
    code = re.sub(rf'(<mo[^>]*>(?:{before})</mo>)<mo>(&#x02212;|&#x0002D;)</mo>', r'\1<mo form="prefix">\2</mo>', code)
    for pair, name in (
        ('[]', 'square'),
        ('()', 'round'),
        ('||', 'straight'),
    ):  # stretching needs a font with math tables
        left, right = (rf'<mo[^>]*>(?:&#x0*{ord(each):X};|{re.escape(each)})</mo>' for each in pair)
        code = re.sub(
            rf'{left}<mtable>((?:(?!<mtable).)*?)</mtable>{right}', rf'<mtable class="{name}">\1</mtable>', code
        )
    return code


def with_math(text: str) -> str:
    """Escaped text whose `$...$` parts are typeset."""
    parts, position = [], 0
    for match in MATH.finditer(text):
        parts += [html.escape(text[position : match.start()]), mathml(match.group(1))]
        position = match.end()
    parts.append(html.escape(text[position:]))
    return ''.join(parts).replace(r'\$', '$')


def result_html(result: str, after: str = '') -> str:
    """The result of a worked step: typeset where it is mathematics, a sentence where it is words."""
    return with_math(result) if is_words(result) else mathml(continued(result, after), block=True)


def is_words(result: str) -> bool:
    """Whether a result is a sentence and no mathematics."""
    return '$' in result or ('\\' not in result and re.search(r'[A-Za-zÀ-ÿ]{2,}', result) is not None)


def continued(latex: str, after: str) -> str:
    """The next line of a chain of equations: `= ...`, unless it has its own sign or nothing stands before it."""
    own = re.search(r'=|\\(approx|le|leq|ge|geq|to|rightarrow|Rightarrow|gets|leftarrow|neq?|in)\b|[<>]', latex)
    return latex if not after or own else f'= {latex}'


def _for_converter(latex: str) -> str:
    """Replaces what the converter does not know by what it does."""
    latex = latex.replace(r'\arg', r'\operatorname{arg}').replace(r'\begin{aligned}', r'\begin{align*}')
    latex = latex.replace(r'\end{aligned}', r'\end{align*}')
    return re.sub(r'(?<!\\)<', r'\\lt ', latex)


def plain(text: str) -> str:
    """Text with LaTeX as readable characters: `$\\hat{y} = \\sigma(w^\\top x)$` -> `ŷ = σ(wᵀx)`, or nearly so."""
    return MATH.sub(lambda match: plain_formula(match.group(1)), text).replace(r'\$', '$')


def plain_formula(latex: str) -> str:
    """One formula as readable characters."""
    out = re.sub(r'\\(?:left|right|big|Big|bigl|bigr|displaystyle|limits|!)(?![A-Za-z])', '', latex)
    out = re.sub(r'\^\{\[([^\[\]{}]*)\](T?)\}', lambda m: f'[{m[1]}]' + ('ᵀ' if m[2] else ''), out)  # layers: W[1]ᵀ
    out = re.sub(r'\\begin\{[a-z]*matrix\}(.*?)\\end\{[a-z]*matrix\}', _matrix, out, flags=re.DOTALL)
    out = re.sub(r'\\(?:begin|end)\{[a-z*]+\}', '', out).replace('\\\\', '; ').replace('&', ' ')
    out = (
        re.sub(r'\\[,;: ]', ' ', out)
        .replace(r'\%', '%')
        .replace(r'\{', '\ue000')
        .replace(r'\}', '\ue001')
        .replace(r'\|', '‖')
    )
    for _ in range(4):  # innermost braces first
        out = re.sub(r'\\[td]?frac\{([^{}]*)\}\{([^{}]*)\}', lambda m: f'{_wrapped(m[1])}/{_wrapped(m[2])} ', out)
        out = re.sub(r'\\sqrt\{([^{}]*)\}', r'√(\1)', out)
        out = re.sub(r'\\(hat|bar|tilde|vec|dot)\{?([A-Za-z])\}?', lambda m: m[2] + ACCENTS[m[1]], out)
        out = re.sub(
            r'\\(?:text|mathrm|mathbf|mathbb|mathcal|mathsf|operatorname|boldsymbol|underbrace)\{([^{}]*)\}', r'\1', out
        )
        out = re.sub(r'\^\{([^{}]*)\}', lambda m: _script(m[1], RAISED, '^'), out)
        out = re.sub(r'_\{([^{}]*)\}', lambda m: _script(m[1], LOWERED, '_'), out)
    out = re.sub(r'\\([A-Za-z]+)', lambda m: SYMBOLS.get(m[1], m[1]), out)
    out = re.sub(r'\^([0-9n])', lambda m: m[1].translate(RAISED), out).replace('^T', 'ᵀ')
    out = re.sub(r'_([0-9a-z])(?![A-Za-z])', lambda m: _script(m[1], LOWERED, '_'), out)
    out = re.sub(r'([∂∇‖Δ√⟨]) (?=\w)', r'\1', out)
    out = out.replace('{', '').replace('}', '').replace('\ue000', '{').replace('\ue001', '}')
    return re.sub(r' {2,}', ' ', out).strip()


def matrix_rows(latex: str) -> list[str]:
    """A lone matrix of several rows as lines with aligned columns, `= [` in front; anything else gives none."""
    found = re.fullmatch(r'\\begin\{bmatrix\}(.*)\\end\{bmatrix\}', latex.strip(), flags=re.DOTALL)
    if found is None or '\\\\' not in found[1] or 'begin' in found[1]:
        return []
    cells = [[plain_formula(cell.strip()) for cell in row.split('&')] for row in found[1].split('\\\\')]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ['  '.join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
    return [f'{"= [" if n == 0 else "   "} {line}{" ]" if n == len(lines) - 1 else ""}' for n, line in enumerate(lines)]


def _matrix(match: re.Match[str]) -> str:
    rows = [re.sub(r'\s*&\s*', ' ', row).strip() for row in match.group(1).split('\\\\')]
    return '[' + '; '.join(rows) + ']'


def _wrapped(part: str) -> str:
    return part if re.fullmatch(r'\\?[\w.∂]+', part) else f'({part})'


def _script(part: str, table: dict[int, int], sign: str) -> str:
    if part and all(ord(character) in table for character in part):
        return part.translate(table)
    return f'{sign}{part}' if len(part) == 1 else f'{sign}({part})'
