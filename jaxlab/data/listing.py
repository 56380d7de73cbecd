"""Image files in folders: their classes and parts, what is left out, and what is refused."""

import dataclasses
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jaxlab.data.images import ENDINGS, hidden, images_below, is_image
from jaxlab.data.names import in_order, plain_names
from jaxlab.errors import UserError

FOREIGN = (  # endings of pictures all the same, which are not read
    '.heic .heif .jxl .raw .dng .cr2 .cr3 .nef .arw .orf .rw2 .psd .svg .pdf .eps .exr .hdr .dcm .nii .czi .nd2 .mp4 .mov .avi '
    '.npy .mat .xcf .kra .ai .wmf .emf .qoi .sgi .rgb .rgba .bw .icns .dds .xbm .xpm .pfm .pam .im .msp .blp .fits .jxr .bpg '
    '.webm .mkv .fli .flc .mpg .mpeg .vtf .ftex .pcd .iim .spi'
)
ROLES = {
    'train': ('train', 'training'),
    'validation': ('val', 'valid', 'validation', 'dev'),
    'test': ('test', 'testing', 'eval', 'evaluation', 'holdout'),
}
PREFIX = re.compile(r'^([A-Za-z][A-Za-z_-]*?)[._ -]*\d+$')  # cat.12, dog-7, image_0001: class name, then a number


@dataclasses.dataclass(frozen=True)
class Listing:
    """Image files by part. files: part -> paths in fixed order; labels: part -> class number of each; names: one a class."""

    files: dict[str, tuple[Path, ...]]
    labels: dict[str, tuple[int, ...]]
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def classified(folder: Path) -> dict[str, list[Path]]:
    """Class -> its image files, from class folders or from the files' name prefixes; {} where there are no images."""
    if not folder.is_dir():
        return {}
    entries = sorted(folder.iterdir())
    by_folder = {entry.name: images_below(entry) for entry in entries if entry.is_dir() and not hidden(entry, folder)}
    empty = [name for name, paths in by_folder.items() if not paths and not any((folder / name).iterdir())]
    by_folder = {name: paths for name, paths in by_folder.items() if paths}
    for name in {entry.name for entry in entries if entry.is_dir() and not hidden(entry, folder)} - by_folder.keys():
        inside = [one for one in (folder / name).rglob('*') if one.is_file() and not hidden(one, folder)]
        nameless = not any(one.suffix for one in inside)  # what they are is not said
        strange = sorted(one for one in inside if nameless or one.suffix.lower() in FOREIGN.split())
        if by_folder and strange:
            raise UserError(
                f'{str(folder)!r}: the class folder {name!r} has no picture that can be read, but {strange[0].name!r}; valid: '
                f'{", ".join(ENDINGS)}'
            )
    if by_folder and empty:
        raise UserError(f'{str(folder)!r}: the class folder {empty[0]!r} is empty; valid: images in every class folder')
    if by_folder:
        return by_folder
    by_prefix: dict[str, list[Path]] = {}
    for path in entries:
        match = PREFIX.match(path.stem) if is_image(path) and path.is_file() else None
        if match:
            by_prefix.setdefault(match[1].lower(), []).append(path)
    return {name: sorted(paths, key=_natural) for name, paths in sorted(by_prefix.items())}


def _natural(path: Path) -> tuple[int, str]:
    """Sorting key that puts numbers in order: cat.2 before cat.10."""
    number = re.search(r'(\d+)$', path.stem)
    return (int(number[1]) if number else 0, path.name)


def scan(root: Path, classify: Callable[[Path], dict[str, list[Path]]] = classified) -> Listing | None:
    """The images below `root` with their classes; parts 'train' and 'test' (and 'validation'), or 'all'.

    None where there are no images.
    A folder 'val' without a 'test' beside it is the test part (and a note says so).
    """
    folders = _parts(root)
    found = {role: classify(folder) for role, folder in folders.items()}
    found = {role: _composed(classes) for role, classes in found.items() if classes}
    notes: tuple[str, ...] = ()
    if 'train' not in found:
        found = {'all': classify(root)}
        _refuse_parts(root, found['all'])
    elif set(found) == {'train'}:
        found = {'all': found['train']}
    elif 'test' not in found:
        notes = (f'the folder {folders["validation"].name!r} serves as the test part.',)
        found = {'train': found['train'], 'test': found['validation']}
    first = found.get('train') or found['all']
    if not first:
        return None
    notes += (*_strays(root, found), *_no_parts(root, folders, found), *_unread(root))
    names = in_order(first)
    for part, classes in found.items():
        unknown = sorted(set(classes) - set(names))
        if unknown:
            raise UserError(
                f'{str(root)!r}: the {part} part has class {unknown[0]!r} that the training part lacks; '
                f'valid: {", ".join(names)}'
            )
    order = [part for part in ('train', 'validation', 'test', 'all') if part in found]
    pairs = {
        part: [(path, names.index(name)) for name in in_order(found[part]) for path in found[part][name]]
        for part in order
    }
    return Listing(
        files={part: tuple(path for path, _ in rows) for part, rows in pairs.items()},
        labels={part: tuple(label for _, label in rows) for part, rows in pairs.items()},
        names=plain_names(names),
        notes=notes,
    )


def _parts(root: Path) -> dict[str, Path]:
    """Role -> the folder of that part; names count in any case, also inside of longer ones ('training_set').

    A folder that is a class beside others ('train' beside 'bus') is no part.
    """
    found: dict[str, list[Path]] = {role: [] for role in ROLES}
    for entry in sorted(one for one in root.iterdir() if one.is_dir() and one.name[:1] != '.'):
        words = set(re.split(r'[\W_]+', entry.name.lower()))
        for role, names in ROLES.items():
            if words & set(names):
                found[role].append(entry)
    for role, folders in found.items():
        if len(folders) > 1:
            shown = ', '.join(repr(folder.name) for folder in folders)
            exact = [folder for folder in folders if folder.name.lower() in ROLES[role]]
            if len(exact) != 1:
                raise UserError(f'{str(root)!r}: {shown} are all named like the {role} part; valid: one folder')
            found[role] = exact
    parts = {role: folders[0] for role, folders in found.items() if folders}
    if len(parts) == 1:  # alone it is a part if pictures lie in folders inside, or there is no other folder of pictures
        (folder,) = parts.values()
        others = [
            one for one in root.iterdir() if one.is_dir() and one != folder and any(map(is_image, one.rglob('*')))
        ]
        if others and not any(
            is_image(path) for inside in folder.iterdir() if inside.is_dir() for path in inside.rglob('*')
        ):
            return {}
    return parts


def _refuse_parts(root: Path, classes: dict[str, list[Path]]) -> None:
    """Refuses class folders that all hold folders of the same names: these are the classes, and the folders parts."""
    inside = [
        {path.relative_to(root / name).parts[0] for path in paths if len(path.relative_to(root / name).parts) > 1}
        for name, paths in classes.items()
        if (root / name).is_dir()
    ]
    if len(inside) > 1 and len(inside[0]) > 1 and all(names == inside[0] for names in inside):
        raise UserError(
            f'{str(root)!r}: {", ".join(map(repr, classes))} all hold the folders {", ".join(sorted(inside[0]))}: which of them '
            'are parts? valid names of parts: train, validation (or val), test'
        )


def _unread(root: Path) -> tuple[str, ...]:
    """Counts the files that are no pictures which can be read, by their endings."""
    files = [path for path in root.rglob('*') if not hidden(path, root)]
    counts = Counter(path.suffix.lower() or 'no ending' for path in files if not is_image(path) and path.is_file())
    if not counts:
        return ()
    named = ', '.join(f'{count:,} {ending}' for ending, count in counts.most_common(8))
    return (f'Left out, since they are no pictures that can be read: {named} ({counts.total():,} in all).',)


def _composed(classes: dict[str, list[Path]]) -> dict[str, list[Path]]:
    """Names of classes with letters in one piece: a Mac writes an umlaut as two."""
    made: dict[str, list[Path]] = {}
    for name, paths in classes.items():
        made.setdefault(unicodedata.normalize('NFC', name), []).extend(paths)
    return made


def _no_parts(root: Path, parts: dict[str, Path], found: dict[str, Any]) -> tuple[str, ...]:
    """Says which folders beside the parts hold pictures and are none."""
    others = [one for one in root.iterdir() if one.is_dir() and one not in parts.values() and not hidden(one, root)]
    counts = {one.name: len(images_below(one)) for one in sorted(others)} if 'train' in found or len(parts) else {}
    said = ', '.join(f'{name!r} with {count:,} pictures' for name, count in counts.items() if count)
    return (f'Left out, since their names are those of no part: {said}.',) if said else ()


def _strays(root: Path, found: dict[str, dict[str, list[Path]]]) -> tuple[str, ...]:
    """Says which images beside the classified ones belong to no class."""
    used = {path for classes in found.values() for paths in classes.values() for path in paths}
    places = {path.parent for path in used} | {path.parent.parent for path in used if path.parent != root}
    inside = sorted(place for place in places if place.is_relative_to(root))
    near = [path for place in inside for path in sorted(place.iterdir()) if is_image(path) and path not in used]
    left = [path for path in near if path.is_file()]
    if not left:
        return ()
    named = ', '.join(path.relative_to(root).as_posix() for path in left[:5])
    more = f' and {len(left) - 5:,} more' if len(left) > 5 else ''
    return (f'Left out, since neither folder nor name gives a class: {named}{more} ({len(left):,} in all).',)
