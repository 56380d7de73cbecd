"""Horses and zebras, unpaired (CycleGAN's horse2zebra), and the two rendered domains that stand in for them.

Source: J.-Y. Zhu et al., "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks", 2017; ImageNet
photographs in the folders trainA, trainB, testA, testB.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from jaxlab.data import images
from jaxlab.data.dataset import Raw
from jaxlab.data.examples import Arrays, Split, in_memory
from jaxlab.data.features import ClassLabel, Image
from jaxlab.data.sets import animals
from jaxlab.data.sources import Request, check_options, checksum, choose, own_folders
from jaxlab.errors import UserError

OPTIONS = {
    'image_size': 64,  # pixels a side
    'shorter_side': 0,  # 0: squash to image_size; else scale the shorter side to this and cut the centre out (B21: 256)
}
FOLDERS = {'a': 'A', 'b': 'B'}
WORDS = {'a': 'horses', 'b': 'zebras'}
OFFICIAL_SIZES = {('train', 'a'): 1067, ('train', 'b'): 1334, ('test', 'a'): 120, ('test', 'b'): 140}


def read(request: Request) -> Raw:
    """Two unpaired domains side by side: `a` horses, `b` zebras, or rendered animals in two styles."""
    how = 'put its folders trainA, trainB, testA, testB into DATA_DIR/horse2zebra, or use embedded'
    return choose(request, {'files': _files, 'embedded': _embedded}, how)


def read_classes(request: Request) -> Raw:
    """The same images in one set, each with the class of its domain: what a judge of translations is trained on."""
    raw = read(request)
    parts, start = {}, 0
    for part in raw.domains['a'].parts:
        of_part = [one.parts[part].arrays or {} for one in raw.domains.values()]
        label = np.repeat(np.arange(len(of_part), dtype=np.int32), [len(arrays['image']) for arrays in of_part])
        parts[part] = in_memory(
            {'image': np.concatenate([arrays['image'] for arrays in of_part]), 'label': label}, start
        )
        start += len(label)
    image = raw.domains['a'].features['image']
    names = tuple(WORDS.values()) if raw.source == 'files' else tuple(f'style {domain}' for domain in raw.domains)
    return dataclasses.replace(raw, parts=parts, features={'image': image, 'label': ClassLabel(names)}, domains={})


def _files(request: Request) -> Raw | None:
    found = from_files(request)
    return (
        None if found is None else _beside(found, 'files', 'Photographs of horses and zebras (ImageNet, by CycleGAN)')
    )


def _embedded(request: Request) -> Raw:
    raw = _beside(embedded(request), 'embedded', 'Synthetic: rendered animals in two styles with a known mapping')
    note = (
        'synthetic data: rendered animals in two styles stand in for horse2zebra; the true translation of every image is '
        'known; results are not comparable with published ones.'
    )
    return dataclasses.replace(raw, notes=(note,), stand_in=True)


def _beside(domains: Mapping[str, Raw], source: str, description: str) -> Raw:
    """One data set of both."""
    licence, both = domains['a'].licence, '-'.join(raw.checksum for raw in domains.values())
    return Raw(source, {}, {}, description, licence, both, domains=domains)


def from_files(request: Request) -> dict[str, Raw] | None:
    """domain 'a' (horses), 'b' (zebras) -> its own data set, from DATA_DIR/horse2zebra; None where it is not there."""
    how = _decoding(request)
    for folder in own_folders(request, 'horse2zebra'):
        places = {
            (part, domain): folder / f'{part}{letter}'
            for part in ('train', 'test')
            for domain, letter in FOLDERS.items()
        }
        there = [place for place in places.values() if place.is_dir()]
        if not there:
            continue
        missing = [place.name for place in places.values() if place not in there]
        if missing:
            raise UserError(f'horse2zebra in {str(folder)!r} lacks the folders {", ".join(missing)}')
        return {
            domain: _domain({part: _read(places[part, domain], how) for part in ('train', 'test')}, domain, how)
            for domain in FOLDERS
        }
    return None


def embedded(request: Request) -> dict[str, Raw]:
    """Rendered animals: domain -> its own data set, with the field `counterpart`, the same scenes in the other style."""
    how = _decoding(request)
    found = {}
    for domain, parts in animals.domains(how.image_size[0]).items():
        found[domain] = Raw(
            source='embedded',
            parts=_splits(parts),
            features={'image': Image(how), 'counterpart': Image(how)},
            description=f'Synthetic: rendered animals, style {domain}, {how.image_size[0]}x{how.image_size[1]} RGB',
            licence='none needed (generated)',
            checksum=checksum(*parts.values()),
            stand_in=True,
        )
    return found


def _decoding(request: Request) -> images.Decoding:
    options = check_options(request, OPTIONS)
    size, shorter = options['image_size'], options['shorter_side']
    if not isinstance(size, int) or not 8 <= size <= 1024 or size % 4:
        raise UserError(f'data.options.image_size={size!r} of {request.name}; valid: a multiple of 4 from 8 to 1024')
    if shorter and shorter < size:
        raise UserError(f'data.options.shorter_side={shorter} is less than image_size={size}; valid: 0, or no less')
    return images.Decoding((size, size), shorter_side=shorter)


def _read(folder: Path, how: images.Decoding) -> Arrays:
    """All images of a folder in the order of their names."""
    paths = sorted(path for path in folder.iterdir() if images.is_image(path))
    decoded, bad, _ = images.decode_all(paths, how)
    if bad or not paths:
        why = f'{paths[min(bad)].name}: {bad[min(bad)]}' if bad else 'it has no images'
        raise UserError(f'{str(folder)!r} cannot be read: {why}')
    return {'image': decoded}


def _splits(parts: Mapping[str, Arrays]) -> dict[str, Split]:
    first = len(parts['train']['image'])
    return {'train': in_memory(parts['train']), 'test': in_memory(parts['test'], first)}


def _domain(parts: Mapping[str, Arrays], domain: str, how: images.Decoding) -> Raw:
    notes = [
        f'horse2zebra here has {len(arrays["image"]):,} {part} {WORDS[domain]}; the official set has '
        f'{OFFICIAL_SIZES[part, domain]:,}.'
        for part, arrays in parts.items()
        if len(arrays['image']) != OFFICIAL_SIZES[part, domain]
    ]
    return Raw(
        source='files',
        parts=_splits(parts),
        features={'image': Image(how)},
        description=f'Photographs of {WORDS[domain]} (ImageNet, by CycleGAN)',
        licence='research use',
        checksum=checksum({'image': np.concatenate([arrays['image'] for arrays in parts.values()])}),
        notes=tuple(notes),
    )
