"""What a denoising network shows: noisy, denoised and clean images, scores beside classical filters, other noise levels."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.data.dataset import Dataset
from jaxlab.data.pictures import pictures
from jaxlab.figures import Figure, Histogram, Images, Lines, Table
from jaxlab.measures.images import decibels, psnr, ssim
from jaxlab.protocol import Record, Report
from jaxlab.tasks.denoising import filters
from jaxlab.tasks.denoising.step import Denoising, State
from jaxlab.tasks.reporting import TaskReport

COMPARED = 500  # held-out images on which all filters are compared
TUNED_ON = 50  # training images on which they are tuned
BLOCK = 100
LEVELS = np.linspace(0.1, 1.0, 10)
LEVEL_IMAGES = 200

Answer = Callable[[np.ndarray], np.ndarray]  # noisy images -> denoised ones


@dataclasses.dataclass(frozen=True)
class DenoisingReport(TaskReport[Denoising]):
    """batch_size: of evaluation as the source made it, whose PSNR is a mean over batches (B23)."""

    batch_size: int

    @classmethod
    def from_config(cls, config: Any, task: Denoising, data: Dataset) -> Self:
        return cls(task, data, config.report.examples, config.data.batch_size)

    def report(self, record: Record) -> Report:
        """Figures and the table are of the first replica, metrics of all."""
        if self.split not in record.outputs:
            return Report()
        outputs, state = record.outputs[self.split], record.states[0]
        network = functools.partial(self._denoised, state)
        clean = pictures(self.data, self.split, np.arange(min(COMPARED, self.data.splits[self.split].size)))
        noisy = self._spoiled(clean)
        rules = self._rules()
        answers: dict[str, Answer] = {'network': network, **{rule.name: rule for rule in rules}}
        made = {name: answer(noisy) for name, answer in answers.items()}
        table, scores = _table(clean, {'noisy image': noisy, 'black image': np.zeros_like(clean), **made}, rules)
        figures: list[Figure] = [
            self._rows(clean, noisy, made),
            table,
            self._levels(state, rules),
            Histogram(
                'psnr_by_image',
                'How well each image is restored',
                f'{self.split} split, n = {len(outputs[0]["psnr"]):,}, first replica',
                {'denoised': outputs[0]['psnr']},
                40,
                'PSNR (dB)',
                'images',
            ),
        ]
        metrics = {
            f'{self.split}_batch_psnr': [_batch_psnr(one['mse'], self.batch_size) for one in outputs],
            f'{self.split}_psnr_deviation': [float(one['psnr'].std(dtype=np.float64)) for one in outputs],
        }
        for rule in rules:
            name = rule.name.replace(' ', '_').replace('-', '_').lower()
            metrics[f'{name}_psnr'] = [scores[rule.name]] * len(outputs)
        return Report(tuple(figures), metrics, self._remarks(len(clean)), answer=self._answer(record, scores))

    @functools.cached_property
    def _run(self) -> Any:
        return jax.jit(self.task.denoise)

    def _denoised(self, state: State, noisy: np.ndarray) -> np.ndarray:
        padded = np.concatenate([noisy, np.zeros((-len(noisy) % BLOCK, *noisy.shape[1:]), noisy.dtype)])
        blocks = [np.asarray(self._run(state, padded[at : at + BLOCK])) for at in range(0, len(padded), BLOCK)]
        return np.concatenate(blocks)[: len(noisy)]

    def _spoiled(self, images: np.ndarray, level: float | None = None) -> np.ndarray:
        return np.asarray(self.task.held_out(jnp.asarray(images), level))

    def _rules(self) -> list[filters.Tuned]:
        """Filters for the noise of the training, tuned on training images."""
        images = pictures(self.data, 'train', np.arange(min(TUNED_ON, self.data.splits['train'].size)))
        return filters.tuned(self._spoiled(images), images)

    def _rows(self, clean: np.ndarray, noisy: np.ndarray, made: dict[str, np.ndarray]) -> Images:
        """Columns of the same image: noisy, denoised by the network and by filters, clean."""
        count = min(6, self.examples_shown or 6, len(clean))
        rows = {'noisy': noisy, **made, 'clean': clean}
        captions = []
        for name, images in rows.items():
            values = np.asarray(psnr(jnp.asarray(images[:count]), jnp.asarray(clean[:count])))
            captions += ['' if name == 'clean' else f'{value:.1f} dB' for value in values]
        note = f'the first images of the {self.split} split, with their PSNR; first replica'
        images = np.concatenate([images[:count] for images in rows.values()])
        return Images('denoised', 'Noisy, denoised, clean', note, images, captions, (), tuple(rows), columns=count)

    def _levels(self, state: State, rules: list[filters.Tuned]) -> Lines:
        """PSNR over noise levels; the network was trained and the median filter was tuned at one of them."""
        clean = pictures(self.data, self.split, np.arange(min(LEVEL_IMAGES, self.data.splits[self.split].size)))
        median = rules[0]
        curves: dict[str, list[float]] = {'network': [], 'noisy image': [], median.name: []}
        for level in LEVELS:
            noisy = self._spoiled(clean, float(level))
            answers = {'network': self._denoised(state, noisy), 'noisy image': noisy, median.name: median(noisy)}
            for name, images in answers.items():
                curves[name].append(float(psnr(jnp.asarray(images), jnp.asarray(clean)).mean()))
        series = {name: (LEVELS, np.array(values)) for name, values in curves.items()}
        note = f'mean PSNR of {len(clean)} {self.split} images; the network was trained at {self.task.level:g}'
        kind = 'share of black pixels' if self.task.noise == 'masking' else 'deviation of the noise'
        trained = {'trained at': self.task.level}
        return Lines('noise_levels', 'Other noise', note, series, kind, 'PSNR (dB)', markers=True, vertical=trained)

    def _answer(self, record: Record, scores: dict[str, float]) -> str:
        found = {name: float(np.mean(record.metrics[f'{self.split}_{name}'])) for name in ('psnr', 'noisy_psnr')}
        best = max((name for name in scores if name not in ('network', 'noisy image', 'black image')), key=scores.get)  # type: ignore[arg-type]
        gain = scores['network'] - scores[best]
        return (
            f'{found["psnr"]:.2f} dB from {found["noisy_psnr"]:.2f} dB of the noisy image. The best filter without learning '
            f'({best}) reaches {scores[best]:.2f} dB on the {COMPARED} images where the network has {scores["network"]:.2f}: '
            f'the network is {abs(gain):.2f} dB {"better" if gain >= 0 else "worse"}.'
        )

    def _remarks(self, compared: int) -> tuple[str, ...]:
        return (
            f'PSNR and SSIM are of each image (range 0 to 1; SSIM over uniform windows of 7x7, as scikit-image comes), then '
            f'averaged; pooled_psnr is that of the mean error, batch_psnr the mean over batches of {self.batch_size}.',
            f'Filters are compared on the first {compared} images of the {self.split} split; their settings did best on '
            f'{TUNED_ON} training images, and non-local means is told the deviation of what the noise changed there.',
            'Noise is drawn anew for each update in training, once for each held-out image.',
        )


def _batch_psnr(errors: np.ndarray, size: int) -> float:
    """The mean over batches, in order, of the PSNR of each batch's mean error: the last, short one weighs as much."""
    parts = [errors[at : at + size].mean(dtype=np.float64) for at in range(0, len(errors), size)]
    return float(np.mean(np.asarray(decibels(jnp.asarray(parts)), np.float64)))


def _table(
    clean: np.ndarray, made: dict[str, np.ndarray], rules: list[filters.Tuned]
) -> tuple[Table, dict[str, float]]:
    """Mean and deviation over images of PSNR and SSIM; and the mean PSNR by name."""
    rows, scores, settings = [], {}, {rule.name: rule.settings for rule in rules}
    for name, images in made.items():
        values = [np.asarray(measure(jnp.asarray(images), jnp.asarray(clean))) for measure in (psnr, ssim)]
        scores[name] = float(values[0].mean(dtype=np.float64))
        how = ', '.join(f'{key} {value:g}' for key, value in settings.get(name, {}).items())
        rows.append((name, *(f'{each.mean():.3f} ± {each.std():.3f}' for each in values), how))
    note = f'mean ± standard deviation over {len(clean):,} images'
    columns = ('what', 'PSNR (dB)', 'SSIM', 'settings')
    return Table('beside_filters', 'The network beside classical filters', note, columns, rows), scores
