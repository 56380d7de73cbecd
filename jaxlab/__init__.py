"""jaxlab: classical deep-learning experiments as config files, in JAX and Flax.

    import jaxlab

    run = jaxlab.experiment('lenet_mnist', profile='smoke').train('runs/first')
    run.results['metrics']['test_accuracy']
    run.predict('photo.png')

`catalogue()` lists the names, `open_run(FOLDER)` opens what was trained before. Nothing heavy is imported until then.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxlab.experiments.front import catalogue, experiment, open_run

__version__ = '0.1.0'
__all__ = ['catalogue', 'experiment', 'open_run']


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    from jaxlab.experiments import front

    return getattr(front, name)
