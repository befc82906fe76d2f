"""The plans of failure_study.py: which bag is broken how, and by which policy it is replayed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from crodino_core.evaluation.faults import FAULTS
from crodino_core.evaluation.scenario import scenario_names
from crodino_core.modality import Modality
from crodino_core.resources import share_directory
from crodino_ros.sample_bag import write_scene_bag

SPAN = {'from': '20%', 'to': '75%'}
"""When a fault of the catalogue is active: after the period is learned, with time to recover."""
SEVERITIES = (1, 3, 5)
UNTOUCHED = 'untouched'
"""The scenario without harm: its span is scored like those of the faults, on the same views."""
RENDERED_SEED, RENDERED_FRAMES = 23, 60
CATALOGUE_BAGS = ('apt0_short_sqlite3', 'apt0_float_depth_mcap', 'rendered')
"""Of 60, 40 and 60 frames; the named scenarios run on the longer ones too."""


def write_plans(bags: Path, out: Path) -> list[Path]:
    """Write the scenarios, the rendered bag and the plans; return the plans.

    :param bags: folder of the recorded bags.
    :param out: where to; what is there already is written anew, but not the rendered bag.
    """
    rendered = out / 'rendered'
    if not rendered.exists():
        write_scene_bag(rendered, RENDERED_SEED, RENDERED_FRAMES)
    recorded = {path.name: path for path in sorted(bags.iterdir()) if path.is_dir()}
    found = {**recorded, 'room': share_directory() / 'samples' / 'room', 'rendered': rendered}
    _write(out / 'scenarios' / f'{UNTOUCHED}.yaml', _scenario(Modality.RGB, _NOTHING))
    clean = ['clean', f'scenarios/{UNTOUCHED}.yaml']
    everyone = [policy for sensor in Modality for policy in _policies(sensor)]
    return [
        _write(out / f'{UNTOUCHED}.yaml', _plan(found, clean, everyone)),
        *(_catalogue(sensor, found, out) for sensor in Modality),
        _write(out / 'stories.yaml', _plan(found, scenario_names(), _policies(Modality.RGB))),
    ]


_NOTHING = {'kind': 'stamp_shift', 'offset_s': 1e-9}
"""A nanosecond."""


def _catalogue(sensor: Modality, bags: dict[str, Path], out: Path) -> Path:
    """Every fault of a sensor; `prefer` prefers the sensor that fails, or nothing would happen."""
    names = []
    for kind in FAULTS.values():
        if sensor in kind.sensors:
            names.append(f'scenarios/{sensor}_{kind.name}.yaml')
            _write(out / names[-1], _scenario(sensor, {'kind': kind.name}))
    chosen = {name: bags[name] for name in CATALOGUE_BAGS}
    plan = {**_plan(chosen, names, _policies(sensor)), 'severities': list(SEVERITIES)}
    return _write(out / f'{sensor}.yaml', plan)


def _policies(prefer: Modality) -> list[dict[str, str]]:
    return [
        {'name': f'{policy} {prefer}', 'policy': policy, 'prefer': str(prefer)}
        for policy in ('prefer', 'best')
    ]


def _plan(bags: dict[str, Path], scenarios: list[str], policies: list[Any]) -> dict[str, Any]:
    return {
        'bags': [{'name': name, 'path': str(path.resolve())} for name, path in bags.items()],
        'scenarios': scenarios,
        'policies': policies,
    }


def _scenario(sensor: Modality, fault: dict[str, Any]) -> dict[str, Any]:
    return {'faults': [{'sensor': str(sensor), **SPAN, **fault}]}


def _write(path: Path, content: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding='utf-8')
    return path
