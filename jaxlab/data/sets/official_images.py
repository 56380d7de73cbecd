"""Pictures of one size whose official training and test part are in memory: MNIST, Fashion-MNIST, CIFAR-10."""

import dataclasses

from jaxlab.data.dataset import Raw
from jaxlab.data.examples import Arrays, in_memory
from jaxlab.data.features import ClassLabel, Image
from jaxlab.data.sources import checksum


@dataclasses.dataclass(frozen=True)
class OfficialImages:
    """What is known of a set before it is read. sizes: images of the 'train' and the 'test' part."""

    name: str
    sizes: dict[str, int]
    classes: tuple[str, ...]
    description: str
    licence: str

    def raw(self, source: str, parts: dict[str, Arrays], notes: tuple[str, ...] = ()) -> Raw:
        """The `Raw` of decoded parts ('train', 'test': image [N, H, W, C] uint8, label [N] int32); says what is missing."""
        counts = {part: len(arrays['label']) for part, arrays in parts.items()}
        notes += tuple(
            f'{self.name} here has {counts[part]:,} {part} images; the official part has {official:,}.'
            for part, official in self.sizes.items()
            if counts[part] != official
        )
        return Raw(
            source=source,
            parts={'train': in_memory(parts['train']), 'test': in_memory(parts['test'], counts['train'])},
            features={'image': Image.of(parts['train']['image'].shape[1:]), 'label': ClassLabel(self.classes)},
            description=self.description,
            licence=self.licence,
            checksum=checksum(parts['train'], parts['test']),
            notes=notes,
        )
