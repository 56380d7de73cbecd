"""A made-up run with figures of every kind (to look at it: `python -m tests.report.example DIR`)."""

import copy
from typing import Any

import numpy as np

from jaxlab import figures as f

NAMES = tuple('0123456789')


def history(replicas: int = 3, epochs: int = 10) -> list[dict[str, Any]]:
    """Learning curves of a small classifier."""
    rng = np.random.default_rng(0)
    rows = []
    for epoch in range(1, epochs + 1):
        fall = np.exp(-0.5 * epoch)
        rows.append(
            {
                'epoch': epoch,
                'step': 938 * epoch,
                'seconds': 2.1 * epoch,
                'train_loss': list(0.05 + 0.9 * fall + 0.01 * rng.normal(size=replicas)),
                'test_loss': list(0.06 + 0.7 * fall + 0.01 * rng.normal(size=replicas)),
                'train_accuracy': list(0.985 - 0.3 * fall + 0.002 * rng.normal(size=replicas)),
                'test_accuracy': list(0.988 - 0.2 * fall + 0.002 * rng.normal(size=replicas)),
                'learning_rate': [0.01 * 0.9**epoch] * replicas,
            }
        )
    return rows


def results() -> dict[str, Any]:
    """The `results.json` of the same run."""
    return {
        'name': 'lenet_mnist',
        'aim': 'How far do five small layers get on handwritten digits?',
        'spec': ['E2', 'A04'],
        'config_id': '3f9a51c27be0',
        'profile': 'full',
        'command': 'python -m launch --config configs/lenet_mnist.py --workdir runs/lenet_mnist --config.replicas=3',
        'data': {
            'name': 'mnist',
            'source': 'embedded',
            'stand_in': True,
            'licence': 'CC BY 4.0',
            'description': 'UCI handwritten digits, 8 x 8 pixels, centred in 28 x 28.',
            'checksum': 'sha256:9c2f0e5b1d7a64e88a3c5f2b90d1e7c46a8b3f2d5e9c1a7b0d4f6e8a2c3b5d7f',
            'examples': {'train': 1437, 'test': 360},
            'notes': ['No example of the test split occurs in the training split.'],
        },
        'metrics': {
            'test_accuracy': {'mean': 0.98796, 'std': 0.00160, 'values': [0.98889, 0.98611, 0.98889]},
            'test_loss': {'mean': 0.0412, 'std': 0.0031, 'values': [0.0401, 0.0447, 0.0388]},
            'train_accuracy': {'mean': 0.9993, 'std': 0.0012, 'values': [0.9979, 1.0, 1.0]},
            'train_loss': {'mean': 0.0141, 'std': 0.0006, 'values': [0.0135, 0.0147, 0.0141]},
            'test_majority_accuracy': {'mean': 0.1028, 'std': 0.0, 'values': [0.1028] * 3},
        },
        'published': {'test_accuracy': {'value': 0.9897, 'where': 'table 2', 'note': 'trained on 60,000 images'}},
        'parameters': 61706,
        'networks': {
            'model': [
                {'path': 'conv1', 'type': 'Conv', 'output_shape': [64, 28, 28, 6], 'parameters': 156},
                {'path': 'pool1', 'type': 'max_pool', 'output_shape': [64, 14, 14, 6], 'parameters': 0},
                {'path': 'conv2', 'type': 'Conv', 'output_shape': [64, 10, 10, 16], 'parameters': 2416},
                {'path': 'pool2', 'type': 'max_pool', 'output_shape': [64, 5, 5, 16], 'parameters': 0},
                {'path': 'dense1', 'type': 'Dense', 'output_shape': [64, 120], 'parameters': 48120},
                {'path': 'dense2', 'type': 'Dense', 'output_shape': [64, 84], 'parameters': 10164},
                {'path': 'logits', 'type': 'Dense', 'output_shape': [64, 10], 'parameters': 850},
            ]
        },
        'params_digest': 'a90b3c',
        'seeds': [0, 1, 2],
        'replicas': 3,
        'epochs': 10,
        'steps': 230,
        'steps_per_epoch': 23,
        'seconds': 21.4,
        'compile_seconds': 3.2,
        'steps_per_second': 12.64,
        'phases': {'data': 0.4, 'compile': 3.2, 'training': 15.3, 'evaluation': 1.9, 'report': 0.6},
        'device': {'platform': 'cpu', 'kind': 'cpu', 'count': 1, 'processors': 2},
        'versions': {'python': '3.11.2', 'jax': '0.10.2', 'flax': '0.12.8'},
        'commit': '0524e09',
        'config_rows': [
            ['data.batch_size', 64, 'experiment'],
            ['data.limit', None, 'default'],
            ['data.transforms', [], 'default'],
            ['model.name', 'lenet', 'experiment'],
            ['optimizer.learning_rate', 0.01, 'experiment'],
            ['optimizer.momentum', 0.9, 'experiment'],
            ['optimizer.clip_norm', None, 'default'],
            ['replicas', 3, 'command line'],
            ['training.epochs', 10, 'stand-in data'],
            ['training.precision', 'float32', 'default'],
        ],
        'theory': [
            r'One kernel for all places: $y_{ijd} = \sum_{u,v,c} x_{i+u,j+v,c}\, k_{uvcd} + b_d$.',
            r'The loss is the cross-entropy of the softmax: $L = -\frac{1}{N}\sum_n \log \hat{p}_{n, t_n}$.',
        ],
        'remarks': ['Most mistakes are 8s read as 1s.'],
        'limits': ['360 test images: one image is 0.28 percentage points.'],
        'adapted': [{'field': 'training.epochs', 'value': 10, 'instead_of': 5, 'why': 'fewer examples'}],
        'stopped': None,
    }


def variants() -> dict[str, dict[str, Any]]:
    """Three variants of the run, compared to the first."""
    runs = {}
    for name, shift, pixels in (('plain', 0.0, 0), ('shifted', 0.004, 2), ('shifted further', -0.013, 6)):
        run = copy.deepcopy(results())
        values = [value + shift + 0.001 * i * (pixels > 0) for i, value in enumerate((0.98889, 0.98611, 0.98889))]
        run['metrics']['test_accuracy'] = {
            'mean': float(np.mean(values)),
            'std': float(np.std(values, ddof=1)),
            'values': values,
        }
        run['config_rows'][2] = ['data.transforms', [['shift', {'pixels': pixels}]] if pixels else [], 'experiment']
        run['variant'] = name
        runs[name] = run
    return runs


def charts() -> list[f.Figure]:
    """Curves, bars, histograms, points and regions."""
    rng = np.random.default_rng(1)
    x = np.linspace(-3, 3, 80)
    blobs = {'class 0': rng.normal(-1, 0.7, (40, 2)), 'class 1': rng.normal(1, 0.7, (40, 2))}
    grid = 1 / (1 + np.exp(-(x[None, :] + x[:, None] + 0.5 * np.sin(3 * x[None, :]))))
    replicas = 1 / (1 + np.exp(-0.1 * (np.arange(50) - 15))) + 0.03 * rng.normal(size=(4, 50))
    return [
        f.Lines(
            'curves',
            'Accuracy while training',
            'n = 4 replicas (thin) and their mean (thick); test split of 360 images.',
            {'train': (np.arange(50), replicas + 0.02), 'test': (np.arange(50), replicas)},
            'epoch',
            'accuracy (share)',
            horizontal={'published 0.97': 0.97, 'chance': 0.1},
            vertical={'best epoch': 41},
        ),
        f.Lines(
            'forecast',
            'Forecast with its 90 % band',
            'One series; band: 5th to 95th percentile of 200 draws.',
            {'observed': (x, np.sin(x)), 'forecast': (x, np.sin(x) * 0.9)},
            'time (h)',
            'load (kW)',
            bands={'forecast': (np.sin(x) * 0.9 - 0.3, np.sin(x) * 0.9 + 0.3)},
        ),
        f.Lines(
            'rates',
            'Loss against the learning rate',
            '',
            {'after 100 steps': (np.logspace(-4, 0, 9), np.logspace(0, -2, 9))},
            'learning rate',
            'training loss (nats)',
            x_log=True,
            y_log=True,
            markers=True,
        ),
        f.Bars(
            'bars',
            'Recall by class',
            'n = 3 replicas; error bars: standard deviation over replicas.',
            NAMES,
            {'recall': rng.uniform(0.9, 0.99, 10)},
            {'recall': rng.uniform(0.002, 0.01, 10)},
            'true class',
            'recall (share)',
        ),
        f.Bars(
            'long_bars',
            'Validation F1 by method',
            '5 folds; error bars: standard deviation over folds.',
            (
                'logistic regression on TF-IDF',
                'multi-layer perceptron, 2 hidden layers',
                'convolution over words',
                'BiLSTM with attention',
            ),
            {'clean': np.array([0.71, 0.74, 0.78, 0.81]), 'leaked': np.array([0.75, 0.80, 0.83, 0.9])},
            {'clean': np.full(4, 0.02), 'leaked': np.full(4, 0.01)},
            'method',
            'F1 (macro)',
        ),
        f.Histogram(
            'histogram',
            'Reconstruction errors',
            'Test split.',
            {'normal': rng.gamma(2, 1, 500), 'fraud': rng.gamma(5, 1.4, 60)},
            30,
            'squared error',
            'examples',
        ),
        f.Points(
            'points',
            'Two classes and the weight vector',
            'n = 80 points.',
            blobs,
            {'boundary': np.array([[-3, 3], [3, -3]])},
            {'w': np.array([[0, 0, 1, 1]])},
            {},
            '$x_1$',
            '$x_2$',
            equal_axes=True,
        ),
        f.Points(
            'words',
            'Word vectors, two principal components',
            'Trained on 2,000 sentences.',
            {'nouns': rng.normal(size=(6, 2)), 'verbs': rng.normal(size=(4, 2)) + 2},
            words={'nouns': ['king', 'queen', 'man', 'woman', 'dog', 'price $5'], 'verbs': ['run', 'go', 'see', 'be']},
            x_label='component 1',
            y_label='component 2',
        ),
        f.Regions(
            'regions',
            'Decision boundary after 50 epochs',
            'n = 80 training points; black: probability 0.5.',
            blobs,
            x_label='$x_1$',
            y_label='$x_2$',
            x=x,
            y=x,
            values=grid,
            levels=(0.5,),
            value_label='P(class 1)',
        ),
        f.Regions(
            'classes',
            'Predicted class',
            'Three classes.',
            {f'class {k}': rng.normal(k - 1, 0.4, (20, 2)) for k in range(3)},
            x_label='$x_1$',
            y_label='$x_2$',
            x=x,
            y=x,
            values=np.digitize(x[None, :] + x[:, None], [-1, 1]),
        ),
    ]


def grids() -> list[f.Figure]:
    """Images, matrices, graphs and an animation."""
    rng = np.random.default_rng(2)
    confusion = np.diag(rng.integers(30, 38, 10)) + rng.integers(0, 2, (10, 10))
    ramp = (
        np.linspace(0, 1, 28)[None, :, None, None]
        * np.linspace(1, 0.2, 28)[None, None, :, None]
        * np.ones((12, 1, 1, 1))
    )
    colour = rng.uniform(0, 1, (4, 6, 9, 3)).repeat(8, 1).repeat(8, 2)
    frames = [
        f.Points(
            f'frame{i}',
            f'epoch {i}',
            '',
            {'weights': rng.normal(i / 3, 0.5, (30, 2))},
            x_label='$w_1$',
            y_label='$w_2$',
        )
        for i in range(4)
    ]
    return [
        f.Images(
            'digits',
            'The worst mistakes of the test split',
            '12 of 360 test images; red: wrong.',
            ramp,
            [f'{k % 10} read as {(k + 3) % 10}, 0.{k + 51}' for k in range(12)],
            [k % 3 == 0 for k in range(12)],
            columns=8,
        ),
        f.Images(
            'rows',
            'Input, reconstruction, difference',
            'Test split; grey range 0 to 1.',
            ramp,
            row_labels=('input', 'output', 'gap'),
            columns=4,
        ),
        f.Images(
            'boxes',
            'Detections',
            'Dashed: truth; numbers: confidence.',
            colour,
            ['street', 'yard', 'harbour', 'field'],
            columns=4,
            boxes=[
                [f.Box(5, 5, 40, 30, 'dog 0.93', 0), f.Box(8, 7, 42, 33, '', 0, True)],
                [f.Box(20, 10, 60, 40, 'cat', 1)],
                [],
                [],
            ],
        ),
        f.Matrix(
            'confusion',
            'Confusion matrix',
            'Test split, n = 360, replica 1.',
            confusion,
            NAMES,
            NAMES,
            'predicted',
            'true',
        ),
        f.Matrix(
            'attention',
            'Attention of head 3',
            'One sentence.',
            rng.dirichlet(np.ones(6), 6),
            ['the', 'cat', 'sat', 'on', 'the', 'mat'],
            ['die', 'Katze', 'saß', 'auf', 'der', 'Matte'],
            'source word',
            'target word',
            '{:.2f}',
        ),
        f.Matrix(
            'correlation',
            'Correlation of the inputs',
            '500 rows.',
            np.corrcoef(rng.normal(size=(5, 50))),
            'abcde',
            'abcde',
            '',
            '',
            '{:+.2f}',
            diverging=True,
        ),
        f.Graph(
            'graph',
            'Computation graph of one neuron',
            'Above a node its value, below it the gradient of the loss.',
            {
                'x': f.Node('x', 0, 0, '2', '0.3', 0),
                'w': f.Node('w', 0, 1, '-1', '0.6', 1),
                'm': f.Node('×', 1, 0.5, '-2', '0.3', 2),
                'b': f.Node('b', 1, 1.5, '3', '0.3', 1),
                'z': f.Node('+', 2, 0.75, '1', '0.3', 2),
                'L': f.Node('L', 3, 0.75, '0.09', '1', 3),
            },
            [('x', 'm', ''), ('w', 'm', ''), ('m', 'z', ''), ('b', 'z', ''), ('z', 'L', '')],
            ('input', 'parameter', 'operation', 'loss'),
        ),
        f.Animation('moving', 'The weights move', '30 weights.', frames),
    ]


def typeset() -> list[f.Figure]:
    """A table and a worked computation."""
    return [
        f.Table(
            'per_class',
            'Precision and recall by class',
            'Test split, replica 1.',
            ('class', 'precision', 'recall', 'n'),
            [(name, 0.9 + 0.01 * i, 0.99 - 0.003 * i, 36) for i, name in enumerate(NAMES[:4])],
        ),
        f.Worked(
            'neuron',
            'One neuron by hand',
            'Rounded to four digits; all digits are kept in the computation.',
            (
                f.Step('The weighted sum', r'z = w^\top x + b', r'z = 2 \cdot 1 + (-1) \cdot 3 + 0.5', '-0.5'),
                f.Step('The activation', r'\sigma(z) = \frac{1}{1 + e^{-z}}', r'\frac{1}{1 + e^{0.5}}', '0.3775'),
                f.Step(
                    'The gradient',
                    r'\frac{\partial L}{\partial w} = (\sigma(z) - t)\, x',
                    r'(0.3775 - 1) \cdot \begin{bmatrix} 1 \\ 3 \end{bmatrix}',
                    r'\begin{bmatrix} -0.6225 \\ -1.8674 \end{bmatrix}',
                    'check: automatic differentiation agrees',
                ),
                f.Step('The neuron stays silent', result='no spike is sent'),
            ),
        ),
    ]


def figures() -> list[f.Figure]:
    """All of them."""
    return [*charts(), *grids(), *typeset()]


if __name__ == '__main__':
    import sys
    from pathlib import Path

    from jaxlab.report.comparison import write_comparison
    from jaxlab.report.page import write_report

    FOLDER = Path(sys.argv[1])
    print(write_report(FOLDER, results(), history(), figures()))
    print(write_comparison(FOLDER, variants(), 'plain').path)
