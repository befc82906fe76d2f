"""What the parameters of the segment node are, and what they mean together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crodino_core.bundle import ModelBundle
from crodino_core.errors import UsageError
from crodino_core.modality import Modality
from crodino_core.resources import DEFAULT_MODEL
from crodino_core.runtime.arbiter import POLICIES, WHEN_NONE, Arbiter
from crodino_core.runtime.engines import TensorRtSettings
from crodino_core.runtime.health import HealthSettings
from crodino_core.variants import parse_resolution
from crodino_ros.engine_parameters import (
    ENGINE_PARAMETERS,
    physical_cores,
    tensorrt_settings,
    threads_beside_middleware,
)
from crodino_ros.node_parameters import ParameterSpec, check_choices

TRANSPORTS = {Modality.RGB: ('raw', 'compressed'), Modality.DEPTH: ('raw', 'compressedDepth')}

_HEALTH = HealthSettings()
BY_MODEL = (0.0, 0.0)
"""The `depth_range` that stands for the usual one with that of the model."""

PARAMETERS = (
    ParameterSpec(
        'model',
        DEFAULT_MODEL,
        'Model bundle: the path of its folder, or the name of one that ships in models/.',
        at_configure=True,
    ),
    *ENGINE_PARAMETERS,
    ParameterSpec(
        'warm_up_size',
        [480, 640],
        'Height and width both networks are made ready for before the first image comes; '
        'another size costs its first frame the time of a compilation.',
        at_configure=True,
    ),
    ParameterSpec(
        'color_transport',
        'raw',
        'How colour images come; compressed subscribes to <topic>/compressed.',
        choices=TRANSPORTS[Modality.RGB],
        at_configure=True,
    ),
    ParameterSpec(
        'depth_transport',
        'raw',
        'How depth images come; compressedDepth subscribes to <topic>/compressedDepth.',
        choices=TRANSPORTS[Modality.DEPTH],
        at_configure=True,
    ),
    ParameterSpec(
        'policy',
        'prefer',
        'prefer: one healthy sensor at a time; average: the mean of both while both are healthy; '
        'best: that too, but without a sensor whose masks have become much worse (fog, darkness).',
        choices=POLICIES,
    ),
    ParameterSpec(
        'prefer',
        str(Modality.RGB),
        'The sensor to serve while it is healthy.',
        choices=tuple(str(modality) for modality in Modality),
    ),
    ParameterSpec(
        'when_none',
        'silence',
        'While no sensor is usable: silence, or void (masks of 255 at the rhythm of the frames).',
        choices=WHEN_NONE,
    ),
    ParameterSpec(
        'timeout',
        _HEALTH.timeout,
        'Seconds without a frame after which a sensor is lost.',
        limits=(0.01, 3600.0),
    ),
    ParameterSpec(
        'late_factor',
        _HEALTH.late_factor,
        "Of the sensor's own period, without a frame, after which it is late and the other one "
        'steps in; 1.4 is the longest interval of a stream with 20 % jitter.',
        limits=(1.05, 100.0),
    ),
    ParameterSpec(
        'check_frozen',
        _HEALTH.check_frozen,
        'Whether repeated pixels are a failure; switch off for a simulated world that stands '
        'still.',
    ),
    ParameterSpec(
        'frozen_frames',
        _HEALTH.frozen_frames,
        'Repetitions in a row that make a sensor frozen.',
        limits=(1, 1000),
    ),
    ParameterSpec(
        'recovery_frames',
        _HEALTH.recovery_frames,
        'Good frames in a row that a returning sensor must show before it is preferred again.',
        limits=(1, 1000),
    ),
    ParameterSpec(
        'min_valid_depth',
        _HEALTH.min_valid_depth,
        'The least share of depth pixels that must be valid.',
        limits=(0.0, 1.0),
    ),
    ParameterSpec(
        'depth_range',
        list(BY_MODEL),
        'Nearest and farthest depth the sensor can mean, metres; what lies outside is invalid. '
        '[0.0, 0.0]: {:g} to {:g}, and as far as the model looks.'.format(*_HEALTH.depth_range),
    ),
    ParameterSpec(
        'overlay_opacity',
        0.5,
        'How strongly the class colours cover the image in segmentation/overlay.',
        limits=(0.0, 1.0),
    ),
    ParameterSpec(
        'diagnostics_period',
        1.0,
        'Seconds between two reports on /diagnostics; a change of state is reported at once.',
        limits=(0.05, 60.0),
        read_only=True,
    ),
    ParameterSpec(
        'autostart',
        True,
        'Whether the node configures and activates itself when it is started.',
        read_only=True,
    ),
)

CHOICES = {spec.name: [str(each) for each in spec.choices] for spec in PARAMETERS if spec.choices}
"""What each parameter may be that has choices, for the arguments of launch files."""


@dataclass(frozen=True)
class SegmentSettings:
    """The parameters, checked against each other."""

    model: str
    engine: str
    precision: str
    resolution: tuple[int, int] | None
    """Height and width the networks work at; None: the first of the model."""
    exact: bool
    engine_fallback: bool
    threads: int | None
    tensorrt: TensorRtSettings
    warm_up_size: tuple[int, int]
    transports: Mapping[Modality, str]
    arbiter: Arbiter
    health: HealthSettings
    """As they were given; see `health_with`."""
    depth_by_model: bool
    """Whether depth is also valid as far as the model looks."""
    overlay_opacity: float

    @classmethod
    def from_parameters(cls, given: Mapping[str, Any]) -> SegmentSettings:
        """Read all parameters.

        :raises UsageError: a value makes no sense, alone or with the others; the message says
            what was found and what was expected.
        """
        check_choices(PARAMETERS, given)
        depth_range = _pair('depth_range', given['depth_range'])
        depth_by_model = depth_range == BY_MODEL
        health = HealthSettings(
            timeout=given['timeout'],
            late_factor=given['late_factor'],
            frozen_frames=given['frozen_frames'],
            recovery_frames=given['recovery_frames'],
            check_frozen=given['check_frozen'],
            min_valid_depth=given['min_valid_depth'],
            depth_range=_HEALTH.depth_range if depth_by_model else depth_range,
        )
        height, width = _pair('warm_up_size', given['warm_up_size'])
        if min(height, width) < 1:
            raise UsageError(f'warm_up_size is {height} x {width}; positive sides were expected')
        return cls(
            model=given['model'],
            engine=given['engine'],
            precision=given['precision'],
            resolution=parse_resolution(given['resolution']),
            exact=given['exact'],
            engine_fallback=given['engine_fallback'],
            threads=given['threads'] or threads_beside_middleware(physical_cores()),
            tensorrt=tensorrt_settings(given),
            warm_up_size=(int(height), int(width)),
            transports={
                Modality.RGB: given['color_transport'],
                Modality.DEPTH: given['depth_transport'],
            },
            arbiter=Arbiter(given['policy'], Modality(given['prefer']), given['when_none']),
            health=health,
            depth_by_model=depth_by_model,
            overlay_opacity=given['overlay_opacity'],
        )

    def health_with(self, bundle: ModelBundle) -> HealthSettings:
        """Return the limits of the health checks for a model."""
        return self.health.reaching(bundle.depth_range) if self.depth_by_model else self.health


def _pair(name: str, value: Any) -> tuple[float, float]:
    """Read two numbers."""
    if len(value) != 2:
        raise UsageError(f'{name} is {list(value)}; two numbers were expected')
    return value[0], value[1]
