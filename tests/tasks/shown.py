"""What a run's report shows."""

from pathlib import Path


def shown(folder: Path) -> tuple[set[str], str]:
    """The names of its figures, and its page."""
    return {file.stem for file in (folder / 'figures').glob('*.png')}, (folder / 'report.html').read_text()
