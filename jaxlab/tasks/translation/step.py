"""Translation: learned with the true words so far (teacher forcing), measured on what is written without them.

    L = -sum_t log p(y_t | y_1 ... y_(t-1), x)       mean over the tokens that are no padding, the end token among them

What is written is scored on the host by sacrebleu, in the form that the target's tokenizer writes: cased text from pieces,
words with a blank between them from words.
"""

import dataclasses
import inspect
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxlab.data.dataset import Dataset
from jaxlab.data.examples import Split
from jaxlab.data.text.feature import Text
from jaxlab.data.text.tokens import Tokenizer
from jaxlab.errors import UserError
from jaxlab.measures.losses import cross_entropy
from jaxlab.measures.sums import sums, weighted_mean
from jaxlab.models import build_model, decoding
from jaxlab.optimizers import TrainState, build_optimizer
from jaxlab.protocol import Batch, Sums
from jaxlab.tasks.supervised import State, Supervised, prepared

SIDES = ('source', 'target')


@dataclasses.dataclass(frozen=True)
class Translation(Supervised):
    """Options:

    label_smoothing: share of the target that is spread over all tokens. teacher_forcing: chance that a step is given the true
    token and not what the step before found likeliest, one draw a step for the whole batch (B16; `seq2seq` alone).
    count_padding: whether padding counts in the loss, as D3.3 had it. shifted: False scores each token on itself, the slip of
    D3.3: a copy is learned, no translation. start, end: ids that writing begins with and stops at where the data frame no text
    (-1: the frame's; D3.3 took the commonest word, and no end). beam: sequences kept while evaluating (1: greedy);
    length_penalty: its power. sentence_bleu: whether B25's mean over sentences stands beside corpus BLEU.
    """

    model: Any  # a Flax module: (source, target so far) -> logits of what follows
    optimizer: optax.GradientTransformation
    example: Mapping[str, jax.ShapeDtypeStruct]
    input: str
    texts: Mapping[str, Text]
    label_smoothing: float = 0.0
    teacher_forcing: float = 1.0
    count_padding: bool = False
    shifted: bool = True
    start: int = -1
    end: int = -1
    beam: int = 1
    length_penalty: float = 0.6
    sentence_bleu: bool = False

    @classmethod
    def from_config(cls, config: Any, data: Dataset, steps_per_epoch: int, total_steps: int, **options: Any) -> Self:
        texts = {side: one for side in SIDES if isinstance(one := data.features.get(side), Text)}
        if len(texts) < len(SIDES):
            raise UserError(
                f'config.task.name: {data.name} has no pairs of texts; valid: tatoeba, multi30k, pairs, phrases'
            )
        sizes: dict[str, Any] = {f'{side}_vocabulary': one.tokenizer.size for side, one in texts.items()}
        model = build_model(config.model, config.training.precision, **sizes)
        optimizer = build_optimizer(config.optimizer, steps_per_epoch, total_steps)
        task = cls(model, optimizer, prepared(data), 'source', texts, **options)
        for name in ('label_smoothing', 'teacher_forcing'):
            if not 0 <= getattr(task, name) <= 1:
                raise UserError(f'config.task.{name} = {getattr(task, name)}; valid: a number from 0 to 1')
        if task.teacher_forcing < 1 and 'coins' not in _takes(model):
            raise UserError(f'config.task.teacher_forcing = {task.teacher_forcing}: {config.model.name} takes 1 alone')
        if task.beam < 1:
            raise UserError(f'config.task.beam = {task.beam}; valid: a whole number from 1 up')
        if task.rules.start < 0:
            raise UserError('config.task.start: the data frame no text; valid: the id of the token that begins each')
        return task

    @property
    def tokenizer(self) -> Tokenizer:
        """Of what is written."""
        return self.texts['target'].tokenizer

    @property
    def rules(self) -> decoding.Rules:
        """How a translation begins and ends; it is as long as the longest of training at most."""
        frame, steps = self.tokenizer.frame, self.example['target'].shape[1] - self.shifted
        start, end = (
            given if given >= 0 else -1 if known is None else known
            for given, known in ((self.start, frame.start), (self.end, frame.end))
        )
        return decoding.Rules(start, end, frame.padding, steps)

    def inputs(self, batch: Mapping[str, Any]) -> tuple[Any, Any]:
        """The source [N, S], and the tokens [N, T] that the true translation has before each that is to be found."""
        return batch['source'], batch['target'][:, :-1] if self.shifted else batch['target']

    def _labels(self, batch: Batch) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Tokens to be found [N, T], the weight of each in the loss, and 1 for those that are no padding [N, T] float32."""
        labels = batch['target'][:, 1:] if self.shifted else batch['target']
        whole = jnp.broadcast_to(batch['weight'][:, None], labels.shape)
        true = whole * (labels != self.tokenizer.frame.padding)
        return labels, whole if self.count_padding else true, true

    def forward(self, network: TrainState, params: Any, batch: Batch, key: jax.Array) -> tuple[Any, dict[str, Any]]:
        """Logits [N, T, V] in training mode; there are no statistics."""
        drop_key, coin_key = jax.random.split(key)
        source, given = self.inputs(batch)
        more: dict[str, Any] = {}
        if self.teacher_forcing < 1:
            more['coins'] = jax.random.bernoulli(coin_key, self.teacher_forcing, given.shape[1:])
        variables = network.variables(params)
        return self.model.apply(variables, source, given, train=True, rngs={'dropout': drop_key}, **more), {}

    def train_step(self, state: State, batch: Batch, key: jax.Array) -> tuple[State, Sums]:
        """One update. batch: {'source': [N, S] int32, 'target': [N, T] int32, 'weight': [N] float32 in {0, 1}}."""
        network = state['model']
        labels, weight, true = self._labels(batch)

        def loss_fn(params: Any) -> tuple[jax.Array, Any]:
            logits, updates = self.forward(network, params, batch, key)
            losses = cross_entropy(logits, labels, self.label_smoothing)
            return weighted_mean(losses, weight), (losses, logits.argmax(-1) == labels, updates)

        (_, (losses, right, updates)), grads = jax.value_and_grad(loss_fn, has_aux=True)(network.params)
        measured = sums(weight, loss=losses) | sums(true, token_accuracy=right)
        return {'model': network.apply_gradients(grads, updates)}, measured

    def eval_step(self, state: State, batch: Batch, key: jax.Array) -> tuple[Sums, dict[str, jax.Array]]:
        """Loss, without smoothing, and right tokens, both with the true words so far; keeps what is written [N, steps]."""
        del key
        labels, weight, true = self._labels(batch)
        logits = self.model.apply(state['model'].variables(), *self.inputs(batch), train=False)
        measured = sums(weight, loss=cross_entropy(logits, labels)) | sums(
            true, token_accuracy=logits.argmax(-1) == labels
        )
        return measured, {'written': self.write(state, batch['source'], self.beam).tokens}

    def write(
        self, state: State, source: jax.Array, beam: int = 1, length_penalty: float | None = None
    ) -> decoding.Written:
        """Translations of source ids [N, S]."""
        variables = state['model'].variables()
        if beam == 1:
            return decoding.greedy(self.model, variables, source, self.rules)
        power = self.length_penalty if length_penalty is None else length_penalty
        return decoding.beam(self.model, variables, source, self.rules, beam, power)

    scored: ClassVar[tuple[str, ...]] = ('written',)

    def score(
        self, totals: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray], part: Split
    ) -> dict[str, float]:
        """Corpus BLEU and chrF (0 to 100), the share of translations that are the reference itself; B25's BLEU if asked for."""
        from jaxlab.measures import translation

        del totals
        said, references = self.said(outputs['written']), self.references(part)
        found = {
            'bleu': translation.bleu(said, references).value,
            'chrf': translation.chrf(said, references).value,
            'exact_match': translation.exact_match(said, references),
        }
        if self.sentence_bleu:
            end = self.tokenizer.names([self.rules.end]) if self.rules.end >= 0 else []
            pairs = [(one.split(), other.split()) for one, other in zip(said, references, strict=True)]
            score = translation.smoothed_sentence_bleu
            found['sentence_bleu'] = float(np.mean([score(*pair) for pair in pairs]))
            found['with_end_sentence_bleu'] = float(np.mean([score([*one, *end], other) for one, other in pairs]))
        return found

    def said(self, written: np.ndarray) -> list[str]:
        """What was written [N, steps], as text."""
        return [self.tokenizer.text(row) for row in np.asarray(written)]

    def references(self, part: Split, side: str = 'target') -> list[str]:
        """The texts of a split in the form that `said` has."""
        held = next(one for one in self.texts[side].texts.values() if np.array_equal(one.origin, part.origin))
        return [self.texts[side].tokenizer.as_written(str(text)) for text in (held.arrays or {})[side]]

    def networks(self) -> Mapping[str, Any]:
        """The one network, on one pair."""
        return {'model': (self.model, jax.eval_shape(self.inputs, dict(self.example)))}


def _takes(model: Any) -> list[str]:
    """Names of what a module's call takes."""
    return list(inspect.signature(type(model).__call__).parameters)
