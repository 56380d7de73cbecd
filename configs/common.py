"""Every field of an experiment: its default, what it may hold, what it means. Anything not listed here is refused.

An experiment file has a function `get_config(profile)` that starts from `experiment(...)`, fills fields in and ends with
`with_profile(...)`. The blocks `task`, `model` and `optimizer` hold a `name` and the options of what is named; these are
checked against the task's, the model's and the optimizer's own arguments.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any

import ml_collections

from configs.kinds import (
    AIM,
    AXES,
    BACKBONE,
    BLOCK,
    COUNT,
    FLAG,
    FRACTION,
    LINES,
    LIST,
    NEEDS,
    NUMBERS,
    NUMBERS_OR_FILE,
    POSITIVE,
    RANGE,
    RULES,
    SEED,
    SEEDS,
    SHARE,
    START,
    TEXT,
    TUNING,
    VARIANTS,
    Kind,
    choice,
    number,
)

PROFILES = ('full', 'smoke')
DOTTED_KEYS = re.compile(r'(?P<blocks>stand_in|tuning\.overrides|variants\.[^.]+|needs\.[^.]+\.overrides)\.(?P<key>.+)')


class Config(ml_collections.ConfigDict):
    """A ConfigDict whose keys may be dotted paths (`variants`, `stand_in`); types are checked against `FIELDS` instead."""

    def __init__(self, initial_dictionary: Any = None, **options: Any):
        if initial_dictionary is not None:  # inner blocks keep the order in which they were written, too
            pairs = initial_dictionary.items()
            initial_dictionary = {name: Config(value) if hasattr(value, 'items') else value for name, value in pairs}
        super().__init__(
            initial_dictionary, **{**options, 'type_safe': False, 'allow_dotted_keys': True, 'sort_keys': False}
        )


@dataclasses.dataclass(frozen=True)
class Field:
    """One field: default, a test of its value, the words for what is valid, and its meaning."""

    default: Any
    valid: str
    test: Callable[[Any], bool]
    meaning: str


def _field(default: Any, kind: Kind, meaning: str) -> Field:
    return Field(default, kind[0], kind[1], meaning)


FIELDS: Mapping[str, Field] = {
    'name': _field('', TEXT, "the experiment's name, that of its file"),
    'aim': _field('', TEXT, 'the question, in one sentence'),
    'spec': _field((), LIST, 'IDs of the specification sections'),
    'profile': _field('full', choice(*PROFILES), 'which profile made this config'),
    'theory': _field((), LIST, 'a few lines for the report; $...$ is typeset'),
    'limits': _field((), LIST, 'what the experiment cannot show, for the report'),
    'task': _field({}, BLOCK, 'what is learned: name and options'),
    'model': _field({}, BLOCK, 'the network: name and arguments, or one such block a network'),
    'optimizer': _field({}, BLOCK, 'the update rule: name and options, or one such block a network'),
    'worked.inputs': _field((), NUMBERS, 'of a worked computation: samples of your own, one row each'),
    'worked.weights': _field(
        (),
        NUMBERS_OR_FILE,
        'of a worked computation: one matrix a layer, one row a unit, bias first; or a .json file with any of inputs, weights, '
        'targets',
    ),
    'worked.targets': _field(
        (), NUMBERS, 'of a worked computation: one target a sample (a row where there are several outputs)'
    ),
    'worked.show': _field(
        '',
        choice('', 'step', 'all'),
        'what a terminal prints of a worked computation: the main part, the same sample by sample (Enter goes on), or all',
    ),
    'data.name': _field('', TEXT, 'the data set'),
    'data.source': _field('auto', choice('auto', 'tfds', 'files', 'embedded'), 'where it is taken from'),
    'data.batch_size': _field(64, COUNT, 'examples an update (0: all of the training data)'),
    'data.eval_batch_size': _field(1000, POSITIVE, 'examples an evaluation step'),
    'data.drop_remainder': _field(False, FLAG, 'whether a short last batch is left out'),
    'data.shuffle': _field(True, FLAG, 'a new order each epoch (a pure function of seed and epoch)'),
    'data.split': _field('official', choice('official', 'pooled'), 'the official split, or all pooled and split anew'),
    'data.test_fraction': _field(0.2, FRACTION, 'share of the pooled data that is tested on'),
    'data.validation_fraction': _field(0.0, FRACTION, 'share of the training data that is held out'),
    'data.validation_from': _field(
        'train', choice('train', 'test'), 'what that is a share of: the training data, or the test data'
    ),
    'data.split_seed': _field(42, SEED, 'seed of those two splits'),
    'data.stratify': _field(False, FLAG, 'whether they keep the share of each class'),
    'data.scale': _field((0.0, 1.0), RANGE, 'range that pixel values are brought to'),
    'data.transforms': _field((), LIST, 'augmentation: pairs (name, {arguments}), in order'),
    'data.limit': _field(0, COUNT, 'training examples used (0: all)'),
    'data.eval_limit': _field(0, COUNT, 'examples used of each other split (0: all)'),
    'data.epoch_examples': _field(
        0, COUNT, 'training examples that count as an epoch, permutation after permutation (0: all of them once)'
    ),
    'data.buckets': _field(
        0,
        COUNT,
        'of sequences: lengths that batches are cut to (4 to 6), each a program of its own; examples of similar length '
        'then share a batch (0: all are padded to the longest)',
    ),
    'data.backbone': _field(
        {},
        BACKBONE,
        'a network that is never trained, through which every image goes once before training: {model, layout, weights}; '
        'what it says of them is kept, and the model learns from that (no transforms then)',
    ),
    'data.sampling': _field(
        '',
        choice('', 'weighted', 'undersample', 'oversample', 'smote'),
        'against class imbalance, of the training split alone: rows drawn by class, fewer, repeated, or made between '
        'neighbours; an epoch keeps its number of draws',
    ),
    'data.sampling_ratio': _field(1.0, SHARE, 'smallest class to largest class afterwards'),
    'data.sampling_neighbours': _field(5, POSITIVE, "SMOTE's k"),
    'data.options': _field({}, BLOCK, "the data set's own options"),
    'training.epochs': _field(1, COUNT, 'passes over the training data (0 with `steps` 0: no training)'),
    'training.steps': _field(0, COUNT, 'updates; above 0 it takes the place of `epochs`'),
    'training.phases': _field(
        (),
        LIST,
        'blocks {epochs, train, optimizer, batchnorm} one after the other, each with a fresh optimizer (their epochs take '
        'the place of `epochs`): train: regexes of the parameters that are trained (empty: all), the others stay as they are; '
        "optimizer: fields over config.optimizer; batchnorm of the others 'infers' (default) or 'adapts'",
    ),
    'training.eval_every': _field(1, COUNT, 'epochs between evaluations (0: only at the end)'),
    'training.watch': _field(
        ('validation',),
        LIST,
        "splits measured at each evaluation; with 'test' its curve is drawn (never to choose by it)",
    ),
    'training.measure_train': _field(
        False, FLAG, 'whether the training examples are measured at the end too, without augmentation and dropout'
    ),
    'training.checkpoint_every': _field(
        1, COUNT, 'epochs between checkpoints (0: only at the end); a new best by `best_metric` is always saved'
    ),
    'training.checkpoint_minutes': _field(
        10.0,
        number(0),
        'minutes after which one is written inside an epoch, too: what a kill may cost (0: none there)',
    ),
    'training.keep': _field(2, POSITIVE, 'latest checkpoints kept (the best is kept besides)'),
    'training.best_metric': _field('', TEXT, "metric of the best checkpoint, such as 'validation_loss' ('': none)"),
    'training.best_mode': _field('min', choice('min', 'max'), 'whether less or more of it is better'),
    'training.patience': _field(
        0, COUNT, 'evaluations without a better `best_metric` before training stops (0: never)'
    ),
    'training.min_delta': _field(0.0, number(0), 'what counts as better'),
    'training.restore_best': _field(False, FLAG, 'whether the best checkpoint is evaluated, not the last'),
    'training.stop_at': _field({}, AIM, 'stop once metric <= value: {metric, value}'),
    'training.steps_per_call': _field(0, COUNT, 'updates a compiled call (0: about half a second of them)'),
    'training.snapshot_every': _field(0, COUNT, "epochs between the task's snapshots (0: none)"),
    'training.log_steps': _field(False, FLAG, "whether every update's metrics are kept, not only the means of epochs"),
    'training.precision': _field(
        'float32', choice('float32', 'bfloat16'), 'of the computation; parameters stay float32'
    ),
    'training.matmul_precision': _field(
        'default',
        choice('default', 'high', 'highest'),
        "of float32 products: 'highest' is float32 throughout; default: the "
        "accelerator's own (TF32 on NVIDIA, bfloat16 on a TPU; a CPU has float32 only)",
    ),
    'training.convolutions': _field(
        'auto',
        choice('auto', 'onednn', 'own'),
        "who computes them on a CPU: oneDNN (compiled anew at each start), or jaxlab's "
        'own forms; auto: oneDNN where the run is long enough to gain by it',
    ),
    'training.seed': _field(0, SEED, 'seed of the first replica; the others count up from it'),
    'parallel.mode': _field('jit', choice('jit', 'pmap'), 'how several devices share a batch'),
    'parallel.devices': _field(0, COUNT, 'devices used (0: all)'),
    'parallel.replica_axis': _field(1, POSITIVE, 'groups of devices, each with its own replicas (CPU: one a core)'),
    'parallel.model_axis': _field(1, POSITIVE, "devices along the mesh's second axis, for sharded parameters"),
    'parallel.shard': _field((), RULES, 'what is split: fsdp over the batch, others (path regex, axis) over `model`'),
    'replicas': _field(1, POSITIVE, 'trainings with other seeds, side by side in one program'),
    'replica_form': _field('auto', choice('auto', 'vmap', 'unrolled'), 'auto: up to 16 on a CPU unrolled, else vmap'),
    'split_seeds': _field(
        (),
        SEEDS,
        'the training on each of these splits of the data, a metric being one value a split (empty: on '
        'data.split_seed only)',
    ),
    'variants': _field({}, VARIANTS, 'named overrides {path: value}, compared from the same start and data order'),
    'tuning': _field(
        {},
        TUNING,
        'a field chosen by trial trainings on the validation split before training: {field, values, metric, mode, '
        'overrides: {path: value}}',
    ),
    'stand_in': _field({}, BLOCK, 'overrides {path: value} where embedded data stands in for the real set'),
    'needs': _field({}, NEEDS, 'other experiments whose trained network this one uses: {role: {config, overrides}}'),
    'start': _field(
        {},
        START,
        "weights that the networks begin with: {weights: FILE} (or a folder in Hugging Face's layout; package:NAME/PATH lies "
        'in a package) or {needs: ROLE}, and skip: regexes of the names that stay as they are initialised, or that are not '
        'taken; published ones: {layout: NAME} of `jaxlab/models/pretrained`, from its installed package or from weights: FILE '
        '(also one in the data directory), into the whole network or into beneath: MODULE of it; outputs: numbers of the '
        'published classes that are ours; classifier: our dense layer that begins as the published classifier (nothing else is '
        'then taken)',
    ),
    'published': _field(
        {},
        BLOCK,
        'what the source printed: {metric: value or {value, where, note, comparable}}; comparable False: the gap '
        'is not judged',
    ),
    'report.examples': _field(16, COUNT, 'examples shown in figures'),
    'report.x_axes': _field(
        ('epoch',), AXES, "what the variants' curves are drawn over: a tuple of epoch, updates, examples, seconds"
    ),
    'report.lines': _field(
        {}, LINES, 'horizontal lines in curves, such as what theory predicts: {metric: {label: height}}'
    ),
    'report.options': _field({}, BLOCK, 'wishes for the report: those of `REPORT_OPTIONS`'),
}


REPORT_OPTIONS: Mapping[str, Field] = {
    'main_metric': _field('', TEXT, "the metric that answers the question ('': the report chooses)"),
    'compared': _field((), LIST, 'metrics that a comparison of variants shows'),
    'figures': _field((), LIST, 'looks into the network (`jaxlab/looks`): names, or pairs (name, {arguments})'),
    'baselines': _field((), LIST, 'rules without a network that stand beside it (`jaxlab/tasks/baselines.py`)'),
    'baseline_rows': _field(0, COUNT, 'training rows that these are fitted on (0: all)'),
    'importance_samples': _field(
        0, COUNT, "draws of a code an image of a VAE's importance-weighted bound (0: it is not computed)"
    ),
    'importance_images': _field(0, COUNT, 'images that this bound is taken of (0: all)'),
    'positive': _field('', TEXT, "of two classes the one whose precision and recall are reported ('': the rarer one)"),
    'sparsity': _field(False, FLAG, 'whether the report says how large the parameters are'),
}


def split_path(path: str) -> tuple[list[str], str]:
    """A dotted path as (blocks, last key). Keys of blocks of overrides are dotted paths themselves."""
    found = DOTTED_KEYS.fullmatch(path)
    if found:
        return found['blocks'].split('.'), found['key']
    *blocks, last = path.split('.')
    return blocks, last


def _set(config: Config, path: str, value: Any) -> None:
    """Sets a field by its dotted path; the last block may be an open one (`task`, `model`, `optimizer`, ...)."""
    blocks, last = split_path(path)
    for block in blocks:
        config = config[block]
    config[last] = Config(value) if isinstance(value, Mapping) else value


def override(config: Config, changes: Mapping[str, Any]) -> Config:
    """A copy with the given dotted paths set. Raises KeyError for a block that is not there."""
    result = Config(config.to_dict())
    for path, value in changes.items():
        _set(result, path, value)
    return result


def experiment(name: str, *, task: str, data: str, model: str | None = None, spec: tuple[str, ...] = ()) -> Config:
    """A config with every field at its default."""
    config = Config({'worked': {}, 'data': {'options': {}}, 'training': {}, 'parallel': {}, 'report': {}})
    for path, field in FIELDS.items():
        _set(config, path, dict(field.default) if isinstance(field.default, Mapping) else field.default)
    config.name, config.spec = name, tuple(spec)
    config.task.name, config.data.name = task, data
    if model is not None:
        config.model.name = model
    return config


def worked_by_hand(name: str, *, spec: tuple[str, ...], **task: str) -> Config:
    """A computation whose every intermediate is shown, nothing trained; `task`: its page and its rule."""
    config = experiment(name, task='trace', data='worked', spec=spec)
    config.task.update(task)
    config.training.epochs = 0
    return config


def with_profile(config: Config, profile: str, smoke: Mapping[str, Any] | None = None) -> Config:
    """The config in one of its profiles: `full` as it is, `smoke` with these overrides.

    A smoke run is one small training: without variants and without what stand-in data would change, unless `smoke` sets them.
    """
    if profile not in PROFILES:
        raise ValueError(f'unknown profile {profile!r}; valid: {", ".join(PROFILES)}')
    if profile == 'smoke' and smoke is not None:
        config = override(config, {'stand_in': {}, 'variants': {}, **smoke})
    config.profile = profile
    return config


def printed(value: float, where: str, note: str = '', comparable: bool = True) -> dict[str, Any]:
    """A number that the source printed, for `published`: where it stands, and what must be known to compare with it."""
    entry: dict[str, Any] = {'value': value, 'where': where}
    if note:
        entry['note'] = note
    if not comparable:
        entry['comparable'] = False
    return entry


def _optimizer(name: str, **options: Any) -> Config:
    return Config({'name': name, **options})


def sgd(learning_rate: float, momentum: float = 0.0, **options: Any) -> Config:
    """Stochastic gradient descent: v <- momentum v + g, w <- w - learning_rate v (PyTorch's and Optax's form)."""
    return _optimizer('sgd', learning_rate=learning_rate, momentum=momentum, **options)


def adam(learning_rate: float = 1e-3, **options: Any) -> Config:
    """Adam in PyTorch's and Optax's form: eps 1e-8 is added to the root of the corrected second moment."""
    return _optimizer('adam', learning_rate=learning_rate, **options)


def keras_adam(learning_rate: float = 1e-3, **options: Any) -> Config:
    """Adam in Keras's form: eps 1e-7 is added to the uncorrected root, the correction is part of the step size."""
    return _optimizer('adam', learning_rate=learning_rate, **{'eps': 1e-7, 'eps_mode': 'keras', **options})
