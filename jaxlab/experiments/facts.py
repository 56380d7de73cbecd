"""What is known of an experiment before a step is made: what results.json and a description say of it."""

from typing import Any

from configs import common
from jaxlab.experiments import config as configs
from jaxlab.experiments.prepare import Prepared
from jaxlab.training import runtime
from jaxlab.training.identity import flat

UNLISTED = (
    'published',
    'theory',
    'limits',
    'aim',
    'spec',
    'stand_in',
    'variants',
    'tuning',
    'name',
    'profile',
    'report.options.figures',
)  # shown elsewhere


def facts(prepared: Prepared) -> dict[str, Any]:
    """What is known before a step is made: the experiment, its data, every field and who chose it, the machine."""
    config, data = prepared.config, prepared.data
    default = common.experiment(config.name, task=config.task.name, data=config.data.name)
    chosen = dict.fromkeys(configs.differing(config, default), 'experiment') | dict(prepared.chosen)
    own = prepared.chosen.get('data.name') == configs.COMMAND_LINE  # published numbers are those of other data
    rows = [
        (path, value if isinstance(value, str | int | float | bool) else str(value), chosen.get(path, 'default'))
        for path, value in sorted(flat(config.to_dict()).items())
        if not path.startswith(UNLISTED)
    ]
    return {
        'name': config.name,
        **({'variant': prepared.variant} if prepared.variant else {}),
        'aim': config.aim,
        'spec': list(config.spec),
        'profile': config.profile,
        'command': prepared.command,
        'data': {
            'name': data.name,
            'source': data.source,
            'stand_in': data.stand_in,
            'description': data.description,
            'licence': data.licence,
            'checksum': data.checksum,
            'examples': {name: split.size for name, split in data.splits.items()},
            'fields': {name: feature.words for name, feature in data.features.items()},
            'notes': list(data.notes),
        },
        'published': {} if own else {metric: _published(entry) for metric, entry in config.published.items()},
        'config_rows': rows,
        'main_metric': config.report.options.get('main_metric'),
        'compared': list(config.report.options.get('compared', ())),
        'curves': {'x_axes': list(config.report.x_axes), 'lines': config.report.lines.to_dict()},
        'theory': list(config.theory),
        'limits': list(config.limits),
        'adapted': [
            {**item, 'value': str(item['value']), 'instead_of': str(item['instead_of'])} for item in prepared.adapted
        ],
        'device': runtime.device_facts(),
        'versions': runtime.versions(),
        'commit': runtime.commit(),
    }


def _published(entry: Any) -> dict[str, Any]:
    return dict(entry.items()) if hasattr(entry, 'items') else {'value': entry}
