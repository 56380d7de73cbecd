"""Folders of small pictures."""

from PIL import Image

from jaxlab.data import load


def filled(root, counts, ending='png', size=(12, 8)):
    """Folders with so many plain pictures each."""
    for at, (name, count) in enumerate(counts.items()):
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            Image.new('RGB', size, (10 * at, number, 99)).save(root / name / f'{number}.{ending}')


def folder(root, **config):
    """The data set `folder` of it, of 8 pixels a side."""
    options = {'path': '.', 'image_size': 8, **config.pop('options', {})}
    return load({'name': 'folder', 'options': options, **config}, root)
