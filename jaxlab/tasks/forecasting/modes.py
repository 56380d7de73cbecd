"""`--mode=forecast`: what comes after the last row of the series."""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxlab.modes import Done, Mode, Option, Trained


def forecast(trained: Trained, options: Mapping[str, Any]) -> Done:
    """The next `steps` rows, each forecast on those before it; nothing but the run is needed."""
    import jax.numpy as jnp
    import numpy as np

    from jaxlab.data import dates
    from jaxlab.figures import Lines

    data, steps = trained.data, options['steps']
    feature = data.input_feature
    state, step = trained.restore()
    window = data.prepare({data.input: jnp.asarray(np.array(feature.recent, np.float32)[None])})[data.input]
    found = np.asarray(trained.task.rollout(state, window, steps), np.float64)[0]
    times = feature.following(steps)
    past = feature.following(0, feature.width)
    recent = np.array(feature.recent)[:, 0]
    x = dates.years(np.concatenate([past[-1:], times]))
    series = {'measured': (dates.years(past), recent), 'forecast': (x, np.concatenate([recent[-1:], found]))}
    note = f'after step {step}; every forecast stands on those before it'
    figure = Lines('next', f'The next {steps} rows', note, series, 'year', feature.label, markers=steps <= 60)
    rows = [{'date': str(time), 'value': float(value)} for time, value in zip(times, found, strict=True)]
    facts = {'name': trained.config.name, 'step': step, 'of': feature.name, 'unit': feature.unit, 'forecast': rows}
    return Done(facts, 'forecasts', (figure,), {'value': found})


def lines(facts: Mapping[str, Any]) -> Sequence[str]:
    """A date and a value a line."""
    rows = [f'{row["date"]}: {row["value"]:,.6g} {facts["unit"]}'.rstrip() for row in facts['forecast']]
    return [*rows, f'picture: {facts["picture"]}']


MODES = {
    'forecast': Mode(
        'what comes after the last row of the series', {'steps': Option(7, 'rows ahead', least=1)}, forecast, lines
    )
}
