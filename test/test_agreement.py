"""Without ground truth the masks are compared with those of the undamaged recording."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from small_bag import LABELS, BandEngine, write_small_bag

from crodino_core.evaluation.metrics import summarize
from crodino_core.evaluation.replay import replay
from crodino_core.evaluation.report import render
from crodino_core.evaluation.report_words import sentences
from crodino_core.evaluation.scenario import FaultSpan, Moment, Scenario
from crodino_core.modality import Modality
from crodino_core.runtime.engines.engine import Prediction
from crodino_core.runtime.quality import watch_for
from crodino_core.runtime.segmenter import FailoverSegmenter
from crodino_core.runtime.selector import FailoverSelector
from crodino_ros.bags import BagRecording

RGB, DEPTH = Modality.RGB, Modality.DEPTH


class MistakenEngine(BandEngine):
    """Takes one class for another in the upper half: a quarter of the pixels or so is wrong."""

    def infer(self, image: np.ndarray) -> Prediction:
        prediction = super().infer(image)
        upper = prediction.mask[: len(prediction.mask) // 2]
        upper[upper == 2] = 1
        return prediction


class WaryEngine(BandEngine):
    """Is unsure of dark pictures, and returns what a mean of two networks needs."""

    def infer(self, image: np.ndarray) -> Prediction:
        prediction = super().infer(image)
        if self.modality is RGB and image.max() < 100:
            prediction.confidence[:] = 120
        return prediction


def run(bag, *faults, depth=BandEngine):
    """Replay a bag with a clock that ticks a millisecond per look; return result and engines."""
    engines = {RGB: BandEngine(RGB), DEPTH: depth(DEPTH)}
    bundle = SimpleNamespace(depth_range=(0.1, 10.0), labels=LABELS, quality=None)
    ticks = itertools.count()
    result = replay(
        BagRecording(bag),
        FailoverSegmenter(bundle, engines=engines),
        FailoverSelector(),
        Scenario('mine', '', tuple(faults)) if faults else None,
        labels=LABELS,
        clock=lambda: next(ticks) * 1e-3,
    )
    return result, engines


def fault(sensor, kind, start, end, **parameters):
    return FaultSpan(sensor, kind, Moment(start), Moment(end), parameters)


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    """Three seconds without ground truth."""
    return write_small_bag(tmp_path_factory.mktemp('bag') / 'bag', frames=30, labels=False)


def test_masks_of_the_same_frames_agree_without_another_inference(bag):
    result, engines = run(bag, fault(DEPTH, 'drop', 1.0, 2.0))
    agreement = summarize(result)['agreement']
    assert agreement['pixels'] == agreement['miou'] == 100
    assert agreement['masks'] == agreement['same_frame'] == 30
    assert agreement['inferences'] == 0
    assert engines[RGB].served == 30


def test_only_masks_of_other_frames_cost_an_inference(bag):
    result, engines = run(bag, fault(RGB, 'drop', 0.95, 2.05), depth=MistakenEngine)
    agreement = summarize(result)['agreement']
    from_depth = sum(output.modality is DEPTH for output in result.outputs)
    assert agreement['inferences'] == from_depth > 5
    assert agreement['same_frame'] == 30 - from_depth
    assert engines[RGB].served == 30
    assert agreement['seconds'] == pytest.approx(from_depth * 1e-3)
    assert 50 < agreement['pixels'] < 100
    served = [phase['served'] for phase in summarize(result)['miou_by_phase']]
    by_source = dict(zip(served, agreement['by_phase'], strict=True))
    assert by_source['rgb']['pixels'] == 100
    assert by_source['depth']['pixels'] < 90


def test_a_damaged_picture_is_compared_with_the_undamaged_one(bag):
    result, _ = run(bag, fault(RGB, 'flipped_channels', 1.0, 2.0))
    damaged = [o.agreement for o in result.outputs if 1.0 <= o.time_s < 2.0]
    assert max(damaged) < 50
    assert {o.agreement for o in result.outputs if not 1.0 <= o.time_s < 2.0} == {100.0}


def test_the_time_for_it_is_not_in_the_latency(bag):
    result, _ = run(bag, fault(RGB, 'drop', 0.95, 2.05))
    assert len({round(output.latency_ms, 6) for output in result.outputs}) == 1


def test_what_is_served_does_not_depend_on_the_comparison(bag):
    quality = {str(m): {'miou': 50.0, 'offset': -40.0, 'slope': 100.0} for m in Modality}
    bundle = SimpleNamespace(
        name='wary', depth_range=(0.1, 10.0), input_size=(48, 64), labels=LABELS, quality=quality
    )

    def served(labels):
        engines = {m: WaryEngine(m, logits=True) for m in Modality}
        result = replay(
            BagRecording(bag),
            FailoverSegmenter(bundle, policy='best', engines=engines),
            FailoverSelector(policy='best', quality=watch_for(bundle, 'best')),
            Scenario('mine', '', (fault(RGB, 'low_light', 0.3, 2.9, severity=4),)),
            labels=labels,
        )
        return result.comparison, [(o.modality, o.fused) for o in result.outputs]

    (compared, with_it), (not_compared, without) = served(LABELS), served(None)
    assert compared.inferences > 10
    assert not_compared is None
    assert with_it == without
    assert with_it[-5:] == [(DEPTH, False)] * 5


def test_the_report_says_what_was_compared_and_what_it_cost(bag):
    result, _ = run(bag, fault(RGB, 'drop', 0.95, 2.05), depth=MistakenEngine)
    assert 'no ground truth' in sentences(result)[-1]
    assert 'of the pixels agree' in sentences(result)[-1]
    assert '% of the pixels as without it' in sentences(result)[0]
    page = render(result, {})
    assert 'Pixels as in the clean run' in page
    assert 'masks more to make' in page
    assert 'in the place of ground truth' in page


def test_with_ground_truth_or_without_a_fault_nothing_is_compared(tmp_path, bag):
    labelled = write_small_bag(tmp_path / 'labelled', frames=8)
    assert summarize(run(labelled, fault(RGB, 'drop', 0.2, 0.5))[0])['agreement'] is None
    result, _ = run(bag)
    assert summarize(result)['agreement'] is None
    assert 'how good the masks are is not known' in sentences(result)[-1]
