"""What a classifier of two classes reports besides: curves over all thresholds, a chosen threshold, calibration.

One class is looked for, the positive one: `config.report.options.positive`, else the rarer one, else the second; it is 1
in all that follows. The threshold is chosen on the validation split and applied once to the test split.
A network that saw other shares of the classes than there are (resampling, class weights) gives probabilities for those;
they are corrected by the odds (`prior_corrected`). Scores [R, N] of R replicas are differences of logits, p = sigmoid(score).
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from jaxlab.data.dataset import Dataset
from jaxlab.data.labels import class_counts, labels_of, names_of
from jaxlab.errors import lookup
from jaxlab.figures import Figure, Lines, Matrix, Table
from jaxlab.measures import binary, classification
from jaxlab.protocol import Record, Report

FEWEST = 10  # examples of each class below which curves say nothing
PRECISION = 0.9  # at which recall is reported
RARE = 0.25  # share of a class below which corrected probabilities are of interest
CORRECTED = ('ece', 'brier', 'precision', 'recall', 'f1')
EQUAL = 0.45  # share of the rarer class from which on neither is rare
GRID = np.linspace(0, 1, 201)
BINS = 10


@dataclasses.dataclass(frozen=True)
class Judged:
    """One split as the replicas see it: labels [N] in {0, 1}, probabilities [R, N]; bayes: [N], the true P(1 | x), if known.

    names: of class 0, and of the positive one, 1.
    """

    split: str
    labels: np.ndarray
    scores: np.ndarray
    bayes: np.ndarray | None
    names: tuple[str, str]

    @property
    def probabilities(self) -> np.ndarray:
        """[R, N] of class 1, as the network gives them."""
        from scipy.special import expit

        return expit(self.scores)

    @property
    def rare(self) -> bool:
        """Whether one of the two classes is rare."""
        return bool(min(self.labels.mean(), 1 - self.labels.mean()) < RARE)

    @property
    def words(self) -> str:
        """Split, number of examples and of replicas, for the notes under figures."""
        positives, replicas = int(self.labels.sum()), len(self.scores)
        n = f'{self.split} split, n = {len(self.labels):,}, {positives:,} of them {self.names[1]} (the positive class)'
        return f'{n}; {replicas} replicas (thin) and their mean (thick)' if replicas > 1 else f'{n}; one replica'


@dataclasses.dataclass(frozen=True)
class Rule:
    """A way to decide: threshold [R] on p [R, N]."""

    name: str
    thresholds: np.ndarray
    probabilities: np.ndarray

    def counts(self, labels: np.ndarray) -> list[binary.Counts]:
        """The four counts of each replica's decisions."""
        pairs = zip(self.probabilities, self.thresholds, strict=True)
        return [binary.counts(labels, p >= threshold) for p, threshold in pairs]


def positive_class(data: Dataset, named: str = '') -> int:
    """The class that is looked for: the named one, else the rarer one of the training examples as they came, else the second."""
    names = names_of(data)
    if named:
        return lookup({name: number for number, name in enumerate(names)}, named, 'config.report.options.positive')
    counts = class_counts(data)[0]
    return 0 if len(names) == 2 and counts[0] < EQUAL * counts.sum() else 1


def report(record: Record, data: Dataset, class_weights: Sequence[float] = (), named: str = '') -> Report:
    """Nothing where there are not two classes with enough examples of each. named: the positive class ('': see above)."""
    if len(names_of(data)) != 2:
        return Report()
    positive = positive_class(data, named)
    split = 'test' if 'test' in record.outputs else next(iter(record.outputs), None)
    judged = None if split is None else judge(record, data, split, positive)
    if judged is None:
        return Report(remarks=() if split is None else _too_few(data, split, positive))
    chosen_on = (
        judge(record, data, 'validation', positive) if split == 'test' and 'validation' in record.outputs else None
    )
    trained, true = odds(data, class_weights, positive)
    corrected = None
    if not np.isclose(trained, true):
        corrected = binary.prior_corrected(judged.probabilities, trained, true)
    rules = decisions(judged, chosen_on, corrected)
    found = {**_areas(judged, corrected), **_decided(rules, judged)}
    if corrected is None and judged.rare:
        found |= {
            f'{name}_corrected': found[name] for name in CORRECTED
        }  # nothing to correct: so that variants compare
    figures: list[Figure] = [
        _precision_recall(judged),
        _roc(judged),
        _against_threshold(judged, rules),
        _reliability(judged, corrected),
        _decision_table(rules, judged, judged.names),
        *(_confusion(rule, judged, judged.names) for rule in rules.values() if rule.name == TUNED),
        _intervals(rules, judged),
    ]
    remarks = [
        f'Precision, recall, F1 and the curves are those of {judged.names[1]!r}, the positive class.',
        _against_majority(rules['half'], judged, judged.names),
    ]
    if corrected is not None:
        remarks.append(
            f'Training saw odds {trained:.4g} of {judged.names[1]}, there are {true:.6g}: '
            f'a probability of 0.5 stands for {float(binary.prior_corrected(np.array(0.5), trained, true)):.6g}.'
        )
    if chosen_on is None and judged.rare and 'validation' in data.splits:
        remarks.append(
            f'The validation split has fewer than {FEWEST} examples of a class: no threshold is chosen on it; '
            'data.validation_fraction makes it larger, data.stratify shares the classes out.'
        )
    elif chosen_on is None and judged.rare:
        remarks.append('There is no validation split to choose a threshold on: data.validation_fraction makes one.')
    return Report(tuple(figures), {f'{split}_{name}': values for name, values in found.items()}, tuple(remarks))


def judge(record: Record, data: Dataset, split: str, positive: int = 1) -> Judged | None:
    """The split's scores, or None: other than two classes, or too few examples of one."""
    logits = [np.asarray(outputs['logits'], np.float64) for outputs in record.outputs[split]]
    if logits[0].shape[-1] != 2 or len(names_of(data)) != 2:
        return None
    source = data.splits[split]
    labels = labels_of(source)
    if min(np.bincount(labels, minlength=2)) < FEWEST:
        return None
    scores = np.stack([each[:, positive] - each[:, 1 - positive] for each in logits])
    bayes, names = (source.arrays or {}).get('bayes'), names_of(data)
    if not positive and bayes is not None:
        bayes = 1 - bayes
    labels = (labels == positive).astype(np.int32)
    return Judged(split, labels, scores, bayes, (names[1 - positive], names[positive]))


def _too_few(data: Dataset, split: str, positive: int) -> tuple[str, ...]:
    counts = np.bincount(labels_of(data.splits[split]), minlength=2)
    there = f'{counts[positive]:,} of the {counts.sum():,} examples of the {split} split are {names_of(data)[positive]}'
    return (f'{there}: precision, recall and curves need {FEWEST} of each class.',)


def odds(data: Dataset, class_weights: Sequence[float] = (), positive: int = 1) -> tuple[float, float]:
    """Odds of the positive class that training saw (after resampling, times the class weights), and those of the data."""
    before, after = class_counts(data)
    weights = np.array(class_weights or (1.0, 1.0))
    if not (before > 0).all():
        return 1.0, 1.0  # one class alone: no odds to correct by
    seen = after * weights
    return float(seen[positive] / seen[1 - positive]), float(before[positive] / before[1 - positive])


TUNED, HALF = 'largest F1 on the validation split', 'p at least 0.5'


def decisions(judged: Judged, chosen_on: Judged | None, corrected: np.ndarray | None) -> dict[str, Rule]:
    """The rules compared; thresholds that are chosen are chosen on `chosen_on`."""
    p, replicas = judged.probabilities, len(judged.scores)
    half = np.full(replicas, 0.5)
    rules = {'half': Rule(HALF, half, p)}
    if corrected is not None:
        rules['corrected'] = Rule('corrected p at least 0.5', half, corrected)
    if chosen_on is not None:
        pairs = [(chosen_on.labels, each) for each in chosen_on.probabilities]
        best = np.array([binary.best_f1_threshold(*pair) for pair in pairs])
        precise = np.array([binary.precision_threshold(*pair, PRECISION) for pair in pairs])
        rules['tuned'] = Rule(TUNED, best, p)
        rules['precise'] = Rule(f'precision at least {PRECISION} on the validation split', precise, p)
    if judged.bayes is not None:
        rules['bayes'] = Rule('Bayes rule, p at least 0.5', np.array([0.5]), judged.bayes[None])
        if chosen_on is not None and chosen_on.bayes is not None:
            best = np.array([binary.best_f1_threshold(chosen_on.labels, chosen_on.bayes)])
            rules['bayes_tuned'] = Rule(f'Bayes rule, {TUNED}', best, judged.bayes[None])
    return rules


def _areas(judged: Judged, corrected: np.ndarray | None) -> dict[str, list[float]]:
    """Metrics that need no threshold, one value a replica."""
    labels, replicas = judged.labels, len(judged.scores)

    def each(metric, values):
        return [float(metric(labels, row)) for row in values]

    found = {
        'average_precision': each(classification.pr_auc, judged.scores),
        'roc_auc': each(classification.roc_auc, judged.scores),
        f'recall_at_{PRECISION * 100:.0f}_precision': each(_recall, judged.scores),
        'ece': each(_calibration_error, judged.probabilities),
        'brier': each(binary.brier, judged.probabilities),
    }
    if corrected is not None:
        found |= {
            'ece_corrected': each(_calibration_error, corrected),
            'brier_corrected': each(binary.brier, corrected),
        }
    if judged.bayes is not None:
        found['bayes_average_precision'] = each(classification.pr_auc, [judged.bayes] * replicas)
    return found


def _decided(rules: dict[str, Rule], judged: Judged) -> dict[str, list[float]]:
    """Metrics at the thresholds, one value a replica."""
    endings = {'half': '', 'corrected': '_corrected', 'tuned': '_tuned_threshold'}
    found: dict[str, list[float]] = {}
    for key, ending in endings.items():
        if key in rules:
            counts = rules[key].counts(judged.labels)
            names = (
                'precision',
                'recall',
                'f1',
                *(('specificity', 'mcc', 'balanced_accuracy') if key == 'half' else ()),
            )
            found |= {f'{name}{ending}': [each.scores[name] for each in counts] for name in names}
    if 'tuned' in rules:
        found['chosen_threshold'] = rules['tuned'].thresholds.tolist()
    if 'bayes_tuned' in rules:
        best = rules['bayes_tuned'].counts(judged.labels)[0].scores['f1']
        found['bayes_f1_tuned_threshold'] = [best] * len(judged.scores)
    return found


def _recall(labels: np.ndarray, scores: np.ndarray) -> float:
    return binary.recall_at_precision(labels, scores, PRECISION)


def _calibration_error(labels: np.ndarray, probabilities: np.ndarray) -> float:
    return classification.reliability(labels, probabilities, BINS).error


def _precision_recall(judged: Judged) -> Lines:
    share = float(judged.labels.mean())
    series = {
        'model': (GRID[1:], np.stack([binary.precision_over(judged.labels, row, GRID[1:]) for row in judged.scores]))
    }
    if judged.bayes is not None:
        series['Bayes rule'] = (GRID[1:], binary.precision_over(judged.labels, judged.bayes, GRID[1:]))
    note = f'{judged.words}. The area under the steps is the average precision.'
    return Lines(
        'precision_recall',
        'Precision against recall, over all thresholds',
        note,
        series,
        'recall',
        'precision',
        horizontal={f'all called positive ({share:.4g})': share},
        compared='model',
    )


def _roc(judged: Judged) -> Lines:
    series = {'model': (GRID, np.stack([binary.sensitivity_over(judged.labels, row, GRID) for row in judged.scores]))}
    if judged.bayes is not None:
        series['Bayes rule'] = (GRID, binary.sensitivity_over(judged.labels, judged.bayes, GRID))
    series['chance'] = (np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    note = (
        f'{judged.words}. Where positives are rare this curve is kind: a small false positive rate is many false calls.'
    )
    return Lines(
        'roc',
        'Receiver operating characteristic',
        note,
        series,
        'false positive rate',
        'true positive rate',
        compared='model',
    )


def _against_threshold(judged: Judged, rules: dict[str, Rule]) -> Lines:
    """Precision, recall and F1 of every threshold, and where the chosen one lies."""
    tables = np.stack([binary.scores_over(judged.labels, row, GRID) for row in judged.probabilities])  # [R, 3, T]
    series = {name: (GRID, tables[:, at]) for at, name in enumerate(('precision', 'recall', 'F1'))}
    vertical, note = {}, f'{judged.words}. Precision has no value where nothing is called positive.'
    if 'tuned' in rules:
        threshold = float(rules['tuned'].thresholds[0])
        vertical[f'chosen on validation ({threshold:.3g})'] = threshold
        note += " The threshold that is drawn is the first replica's."
    return Lines(
        'scores_by_threshold',
        'Precision, recall and F1 against the threshold',
        note,
        series,
        'threshold on the predicted probability',
        'score',
        vertical=vertical,
    )


def _reliability(judged: Judged, corrected: np.ndarray | None) -> Lines:
    """How often each predicted probability came true."""
    series = {'as trained': _frequencies(judged.labels, judged.probabilities)}
    if corrected is not None:
        series['corrected for the true odds'] = _frequencies(judged.labels, corrected)
    series['well calibrated'] = (np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    error = np.mean([_calibration_error(judged.labels, row) for row in judged.probabilities])
    note = f'{judged.words}. {BINS} bins of equal width; expected calibration error {error:.4f}'
    if corrected is not None:
        note += f', corrected {np.mean([_calibration_error(judged.labels, row) for row in corrected]):.4f}'
    bins = classification.reliability(judged.labels, judged.probabilities[0], BINS).examples
    note += f'. Examples in the bins as trained, first replica: {", ".join(map(str, bins))}'
    return Lines(
        'reliability',
        'How often a predicted probability comes true',
        f'{note}.',
        series,
        'predicted probability (mean of the bin)',
        'share of positives in the bin',
        markers=True,
    )


def _frequencies(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(mean probability of each bin over all replicas [B], share of positives [R, B]); bins that are empty left out."""
    pooled = classification.reliability(np.tile(labels, len(probabilities)), probabilities.ravel(), BINS)
    shares = np.stack([classification.reliability(labels, row, BINS).accuracy for row in probabilities])
    kept = pooled.examples > 0
    return pooled.confidence[kept], shares[:, kept]


def _decision_table(rules: dict[str, Rule], judged: Judged, names: Sequence[str]) -> Table:
    """One row a rule, means over the replicas; the rule that never calls stands first."""
    columns, written = ('precision', 'recall', 'f1', 'mcc', 'balanced_accuracy', 'accuracy'), {'f1': 'F1', 'mcc': 'MCC'}
    never = binary.counts(judged.labels, np.zeros(len(judged.labels), bool))
    rows = [(f'always {names[0]}', '–', '0', *(never.scores[name] for name in columns))]
    for rule in rules.values():
        counts = rule.counts(judged.labels)
        finite = rule.thresholds[np.isfinite(rule.thresholds)]
        shown = f'{finite.mean():.4g}' if len(finite) else 'none reaches it'
        called = f'{np.mean([each.tp + each.fp for each in counts]):,.1f}'.removesuffix('.0')
        rows.append((rule.name, shown, called, *(float(np.mean([c.scores[name] for c in counts])) for name in columns)))
    head = ('rule', 'threshold', f'called {names[1]}', *(written.get(name, name.replace('_', ' ')) for name in columns))
    means = f'; means over {len(judged.scores)} replicas' if len(judged.scores) > 1 else ''
    note = f'{judged.split} split, n = {len(judged.labels):,}{means}.'
    return Table('decisions', 'What the threshold decides', note, head, rows, align='<>>>>>>>>')


def _confusion(rule: Rule, judged: Judged, names: Sequence[str]) -> Matrix:
    counts = rule.counts(judged.labels)[0]
    values = np.array([[counts.tn, counts.fp], [counts.fn, counts.tp]], np.float64)
    note = f'{judged.split} split, n = {len(judged.labels):,}, first replica, threshold {rule.thresholds[0]:.4g}'
    title = 'Which class is taken for which, at the chosen threshold'
    return Matrix('confusion_matrix_tuned', title, note, values, names, names, 'predicted class', 'true class')


def _intervals(rules: dict[str, Rule], judged: Judged) -> Table:
    """How far another test set of the same sizes would move the first replica's numbers."""
    rule = rules.get('tuned', rules['half'])
    labels, score, p, threshold = judged.labels, judged.scores[0], rule.probabilities[0], rule.thresholds[0]
    counts = rule.counts(labels)[0]

    def f1(labels: np.ndarray, p: np.ndarray) -> float:
        return binary.counts(labels, p >= threshold).scores['f1']

    shares = {'recall': (counts.tp, counts.tp + counts.fn), 'precision': (counts.tp, counts.tp + counts.fp)}
    rows = [
        (f'{name}, {rule.name}', counts.scores[name], *binary.wilson(*share), f'Wilson, {share[0]:,} of {share[1]:,}')
        for name, share in shares.items()
    ]
    drawn = {
        f'F1, {rule.name}': (counts.scores['f1'], binary.bootstrap(labels, p, f1)),
        'average precision': (
            classification.pr_auc(labels, score),
            binary.bootstrap(labels, score, binary.ranked_precision),
        ),
        'ROC AUC': (classification.roc_auc(labels, score), binary.bootstrap(labels, score, binary.ranked_auc)),
    }
    method = 'stratified bootstrap, percentiles'
    rows += [(name, value, *ends, method) for name, (value, ends) in drawn.items() if np.isfinite(ends[0])]
    note = (
        f'{judged.split} split, {int(labels.sum()):,} positives of {len(labels):,}; first replica. 95 % intervals over '
        'other test sets of these sizes, the trained network and its threshold being what they are.'
    )
    return Table(
        'test_set_intervals', 'How sure these numbers are', note, ('metric', 'value', 'low', 'high', 'interval'), rows
    )


def _against_majority(half: Rule, judged: Judged, names: Sequence[str]) -> str:
    majority = float(max(np.mean(judged.labels == 0), np.mean(judged.labels == 1)))
    usual = names[int(np.mean(judged.labels) > 0.5)]
    mean = float(np.mean([each.scores['accuracy'] for each in half.counts(judged.labels)]))
    said = f'Always saying {usual!r} is right on {majority:.2%} of the {judged.split} split; the network at p = 0.5 on {mean:.2%}'
    return f'{said}: where a class is rare, accuracy says little.' if judged.rare else f'{said}.'
