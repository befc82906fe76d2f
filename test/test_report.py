"""What the report of a replay says, and how it is written."""

from __future__ import annotations

import base64
import json
import os
import re
from html.parser import HTMLParser
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from crodino_core.evaluation import report, report_timeline
from crodino_core.evaluation import report_tables as tables
from crodino_core.evaluation.faults import FAULTS
from crodino_core.evaluation.records import (
    Comparison,
    Failover,
    Failure,
    KeyPicture,
    OutputRecord,
    Phase,
    ReplayResult,
    StateChange,
)
from crodino_core.evaluation.report_environment import ENGINE_TITLES, engine_title
from crodino_core.evaluation.report_fault_words import FAULT_WORDS, fault_words
from crodino_core.evaluation.report_film import film
from crodino_core.evaluation.report_images import depth_colors, mask_uri
from crodino_core.evaluation.report_words import headline, sentences
from crodino_core.labels import LabelSet
from crodino_core.modality import Modality
from crodino_core.runtime.engines import ENGINE_NAMES

LABELS = LabelSet(('wall', 'floor'), ((190, 170, 150), (110, 170, 110)))


class Page(HTMLParser):
    """Text, attributes and the data of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or '') for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return ' '.join(' '.join(self.words).split())


def blackout() -> ReplayResult:
    """Ten seconds at 10 Hz; the camera sends nothing from 3.0 s to 6.0 s."""
    result = ReplayResult(
        recording='hall.mcap',
        duration_s=10.0,
        scenario='camera_blackout',
        scenario_description='The cable is pulled and replugged.',
        model='indoor',
        engine='openvino',
        device='CPU (2 threads)',
        policy={'policy': 'prefer', 'prefer': 'rgb', 'when_none': 'silence'},
        labels=LABELS,
    )
    result.frames = {Modality.RGB: 100, Modality.DEPTH: 100}
    result.expected_s = [index / 10 for index in range(100)]
    for time_s in result.expected_s:
        dead = 3.0 <= time_s < 6.2
        result.outputs.append(
            OutputRecord(
                time_s=time_s + (0.045 if dead else 0.0),
                stamp_ns=int(time_s * 1e9),
                modality=Modality.DEPTH if dead else Modality.RGB,
                fused=False,
                stale=False,
                latency_ms=12.0,
                phase=0,
                cause='camera late',
                miou=63.5 if dead else 71.2,
            )
        )
    result.state_changes = [
        StateChange(0.0, Modality.RGB, 'ok', 'first frame'),
        StateChange(0.0, Modality.DEPTH, 'ok', 'first frame'),
        StateChange(3.045, Modality.RGB, 'late', 'no frame for 0.145 s'),
        StateChange(3.4, Modality.RGB, 'lost', 'no frame for 0.5 s'),
        StateChange(6.0, Modality.RGB, 'recovering', '1 of 3 good frames'),
        StateChange(6.2, Modality.RGB, 'ok', '3 good frames'),
    ]
    result.failures = [
        Failure(
            Modality.RGB,
            'drop',
            start_s=3.0,
            end_s=6.0,
            frames=30,
            onset_s=3.0,
            cleared_s=6.0,
            detected_s=3.045,
            detected_as='late',
            recovered_s=6.2,
        )
    ]
    result.failovers = [
        Failover(Modality.RGB, Modality.DEPTH, 3.045, 0.145, 'camera late', 'rgb drop'),
        Failover(Modality.DEPTH, Modality.RGB, 6.2, 0.1, 'camera ok', 'end of rgb drop'),
    ]
    result.phases = [
        Phase(0.0, 2.9, Modality.RGB, (), 30, 30, confusion(0.9)),
        Phase(3.045, 6.145, Modality.DEPTH, ('rgb drop',), 32, 32, confusion(0.8)),
        Phase(6.2, 9.9, Modality.RGB, (), 38, 38, confusion(0.9)),
    ]
    result.pictures = [picture(2.9, Modality.RGB), picture(3.045, Modality.DEPTH)]
    return result


def confusion(right: float) -> np.ndarray:
    """Two classes, a share of the pixels right."""
    hit, miss = round(1000 * right), round(1000 * (1 - right))
    return np.array([[hit, miss, 0], [miss, hit, 0]], np.int64)


def picture(time_s: float, modality: Modality) -> KeyPicture:
    """One instant; without a camera picture when depth was served."""
    mask = np.zeros((6, 8), np.uint8)
    rgb = np.full((6, 8, 3), 120, np.uint8) if modality is Modality.RGB else None
    depth = np.full((6, 8), 2.0, np.float32)
    return KeyPicture(time_s, 'at the cut', 0, modality, rgb, depth, mask, mask, 70.0)


def page_of(result: ReplayResult) -> Page:
    return Page(report.render(result, {'Python': '3.12'}))


def test_the_page_opens_with_what_happened_in_plain_words() -> None:
    text = page_of(blackout()).text
    assert 'The camera failed, no mask was lost' in text
    assert 'The camera was dead for 3.0 s.' in text
    assert 'Masks continued from depth after 0.14 s; no mask was lost; mIoU 81.8 → 66.7.' in text
    assert 'The camera was trusted again 0.20 s after its first good frame.' in text


def test_a_lost_mask_is_said_first() -> None:
    result = blackout()
    result.lost_s, result.failures[0].masks_lost = [3.0], 1
    assert headline(result) == 'The camera failed, 1 mask was lost'
    assert 'at other times' not in ' '.join(sentences(result))


def test_masks_that_were_lost_without_a_fault_are_said_too() -> None:
    result = blackout()
    result.lost_s, result.failures[0].masks_lost = [0.0, 0.1, 3.0], 1
    assert headline(result) == 'The camera failed, 3 masks were lost'
    assert '2 masks were lost at other times.' in sentences(result)


def test_masks_of_both_sensors_have_a_column_of_their_own() -> None:
    result = blackout()
    first = result.phases[0]
    first.fused, first.fused_confusion = 10, confusion(0.9) // 3
    page, text = page_of(result).text, report.render_markdown(result, {})
    assert 'both, 20 of 30 from colour alone' in page
    assert 'From both' in page
    assert '| Class | From colour | From depth | From both |' in text
    assert '|---|---:|---:|---:|' in text
    assert 'From both' not in page_of(blackout()).text


def test_a_failure_of_the_sensor_that_was_not_served_needs_no_switch() -> None:
    result = blackout()
    result.failures[0].sensor = Modality.DEPTH
    assert 'The served sensor did not change; no mask was lost.' in sentences(result)[0]


def test_a_failure_that_nobody_noticed_is_said() -> None:
    result = blackout()
    result.failures[0].detected_s = None
    assert 'The health check did not notice.' in sentences(result)[0]
    result.policy = {'policy': 'best'}
    assert 'did not notice, but its masks were expected to be much worse' in sentences(result)[0]


def test_a_false_switch_is_said() -> None:
    result = blackout()
    result.failovers[1].explained_by = None
    assert 'changed 1 time without an injected fault' in sentences(result)[-1]
    assert 'nothing: a false switch' in page_of(result).text


def test_without_a_scenario_the_page_says_that_nothing_switched() -> None:
    result = blackout()
    result.scenario, result.failures, result.failovers, result.pictures = None, [], [], []
    assert 'the served sensor never changed' in page_of(result).text


def test_a_replay_without_masks_ground_truth_or_pictures_still_has_a_page() -> None:
    result = blackout()
    result.outputs, result.phases, result.pictures, result.failovers = [], [], [], []
    result.labels = None
    text = page_of(result).text
    assert 'No mask was made' in text
    assert 'no ground truth' in text


def test_a_recording_of_one_instant_still_has_a_page() -> None:
    result = blackout()
    result.duration_s = 0.0
    result.failures, result.failovers, result.pictures = [], [], []
    result.outputs, result.state_changes = result.outputs[:1], result.state_changes[:2]
    assert '1 mask, the served sensor never changed' in page_of(result).text


def test_tables_hold_every_phase_switch_and_class() -> None:
    text = page_of(blackout()).text
    assert '0.00 to 2.90 s colour none 30 81.8' in text
    assert '3.04 to 6.14 s depth rgb drop 32 66.7' in text
    assert '0.145 s camera late rgb drop' in text
    assert 'wall 81.8 66.7' in text


def test_the_timeline_names_states_and_sources_not_only_colours() -> None:
    spans = report_timeline.state_spans(blackout(), Modality.RGB)
    assert [span.text for span in spans] == ['ok', 'late', 'lost', 'recovering', 'ok']
    assert spans[-1].end_s == 10.0
    served = report_timeline.served_spans(blackout())
    assert [span.text for span in served] == ['colour', 'depth', 'colour']


def test_a_gap_is_shown_apart_from_a_pause_of_the_recording() -> None:
    result = blackout()
    result.outputs = [o for o in result.outputs if not 4.0 < o.time_s < 5.0]
    assert 'none' in [span.kind for span in report_timeline.served_spans(result)]
    result.expected_s = [time for time in result.expected_s if not 4.0 < time < 5.0]
    kinds = [span.kind for span in report_timeline.served_spans(result)]
    assert 'pause' in kinds
    assert 'none' not in kinds


def test_the_curve_breaks_where_the_source_changes() -> None:
    assert [curve['kind'] for curve in report_timeline.curves(blackout())] == [
        'rgb',
        'depth',
        'rgb',
    ]


def test_pictures_are_inside_the_page_and_described() -> None:
    page = page_of(blackout())
    sources = [value for tag, name, value in page.attributes if (tag, name) == ('img', 'src')]
    texts = [value for tag, name, value in page.attributes if (tag, name) == ('img', 'alt')]
    assert len(sources) == 7  # two instants of four pictures, one camera picture is missing
    assert all(source.startswith('data:image/') for source in sources)
    assert 'Depth at 3.04 s, at the cut' in texts
    assert 'no new frame' in page.text


def test_invalid_depth_is_black_and_does_not_hide_the_rest() -> None:
    depth = np.array([[0.0, np.nan, 1.0, 3.0]], np.float32)
    colors = depth_colors(depth)
    assert not colors[0, :2].any()
    assert colors[0, 2].any() and colors[0, 3].any()
    assert not depth_colors(np.zeros((2, 2), np.float32)).any()


def test_the_page_loads_nothing_from_anywhere() -> None:
    html = report.render(blackout(), {})
    loading = {'src', 'href', 'srcset', 'data', 'action', 'poster'}
    loaded = [value for _, name, value in Page(html).attributes if name in loading]
    assert all(value.startswith(('data:', '#t=')) for value in loaded)
    assert not re.search(r'https?://|@import|url\(', html)
    assert "default-src 'none'" in html


def test_names_from_outside_are_text_and_never_markup() -> None:
    result = blackout()
    evil = '</script><script>alert(1)</script>'
    result.recording = result.scenario = result.scenario_description = result.model = evil
    result.warnings = [evil]
    result.state_changes.append(StateChange(7.0, Modality.DEPTH, 'invalid', evil))
    html = report.render(result, {'Processor': evil})
    assert '<script>alert' not in html
    assert Page(html).text.count('alert(1)') >= 5


def test_both_files_are_written_and_agree(tmp_path: Path) -> None:
    json_path, html_path = report.write_report(blackout(), tmp_path / 'new' / 'folder')
    content = json.loads(json_path.read_text())
    assert content['masks_lost'] == 0
    assert content['failovers'][0]['gap_s'] == 0.145
    assert content['headline'] in html_path.read_text()
    assert content['environment']['Python']
    assert sorted(path.name for path in json_path.parent.iterdir()) == [
        'report.html',
        'report.json',
        'report.md',
    ]


def test_a_failed_write_leaves_the_earlier_report_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report.write_report(blackout(), tmp_path)
    before = (tmp_path / 'report.json').read_text()

    def full_disk(source: str, target: Path) -> None:
        raise OSError('no space left on device')

    monkeypatch.setattr(os, 'replace', full_disk)
    with pytest.raises(OSError, match='no space'):
        report.write_report(blackout(), tmp_path)
    assert (tmp_path / 'report.json').read_text() == before
    assert len(list(tmp_path.iterdir())) == 3


def test_the_environment_names_versions_but_no_paths() -> None:
    found = report.environment()
    assert {'Python', 'System', 'Processor', 'numpy', 'crodino_ros'} <= set(found)
    assert str(Path.home()) not in json.dumps(found)


def test_every_kind_of_fault_has_words_of_its_own() -> None:
    assert set(FAULT_WORDS) == set(FAULTS)
    for kind in FAULTS.values():
        for severity in range(1, 6):
            verb, measure = fault_words(failure_of(kind.name, severity=severity))
            assert 'had the fault' not in verb
            assert measure == '' or measure.startswith(f'severity {severity} of 5: ')
            assert '{' not in measure


@pytest.mark.parametrize(
    ('kind', 'given', 'expected'),
    [
        ('drop', {}, ('was dead', '')),
        (
            'drop',
            {'severity': 2},
            ('kept falling silent', 'severity 2 of 5: no frame for 40% of each second'),
        ),
        ('fog', {'severity': 4}, ('looked into fog', 'severity 4 of 5: visibility 8 m')),
        ('fog', {'visibility_m': 50.0}, ('looked into fog', 'visibility 50 m')),
        ('freeze', {}, ('was frozen', '')),
        ('freeze', {'repeats': 3.0}, ('stuttered', 'each picture shown 3 times')),
        ('nan_fill', {'severity': 5}, ('gave nothing but NaN', '')),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_how_bad_it_was(
    kind: str, given: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert fault_words(failure_of(kind, **given)) == expected


def failure_of(kind: str, **given: Any) -> Failure:
    parameters = FAULTS[kind].complete(given)
    return Failure(Modality.RGB, kind, 3.0, 6.0, frames=30, parameters=parameters)


def test_a_fault_that_no_check_noticed_has_impaired_the_sensor() -> None:
    result = blackout()
    result.failures[0].detected_s = None
    assert headline(result) == 'The camera was impaired, no mask was lost'
    assert 'trusted again' not in sentences(result)[0]
    result.failures[0].frames = 0
    assert headline(result) == 'The scenario touched no frame, no mask was lost'


def test_without_ground_truth_the_report_says_so() -> None:
    result = blackout()
    for phase in result.phases:
        phase.confusion = None
    assert sentences(result)[-1] == (
        'The recording has no ground truth: how good the masks are is not known.'
    )
    for phase in result.phases:
        phase.agreement = confusion(0.9)
    result.comparison = Comparison(masks=100, same=68, inferences=32, seconds=1.5)
    text = page_of(result).text
    assert 'of the undamaged frames: 90.0 % of the pixels agree' in text
    assert '32 masks more to make, 1.5 s of these' in text
    assert 'As in the clean run 90.0 % of the pixels' in text


def test_classes_are_compared_before_during_and_after_the_failure() -> None:
    changes = tables.class_changes(blackout())
    assert changes is not None
    assert changes['columns'] == ['Before', 'During', 'After']
    wall = changes['rows'][0]
    assert wall['iou'] == pytest.approx([81.82, 66.67, 81.82], abs=0.01)
    assert wall['change'] == pytest.approx(-15.15, abs=0.01)


def test_several_failures_are_compared_with_the_time_without_any() -> None:
    result = blackout()
    second = Failure(Modality.DEPTH, 'range_clip', 8.0, 9.95, frames=19)
    result.failures.append(second)
    changes = tables.class_changes(result)
    assert changes is not None
    assert changes['columns'] == ['No failure', 'camera drop', 'depth range clip']


def test_failures_of_one_kind_are_told_apart_by_their_start() -> None:
    result = blackout()
    result.failures.append(Failure(Modality.RGB, 'drop', 8.0, 9.95, frames=19))
    changes = tables.class_changes(result)
    assert changes is not None
    assert changes['columns'] == ['No failure', 'camera drop at 3.0 s', 'camera drop at 8.0 s']


def test_the_film_holds_each_image_once_and_says_where_there_is_none() -> None:
    result = blackout()
    result.film = [picture(0.1 * index, Modality.RGB) for index in range(5)]
    result.film.append(picture(3.0, Modality.DEPTH))
    content = film(result, 1_000_000)
    assert content['times'] == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4, 3.0])
    assert content['colour'] == [0, 0, 0, 0, 0, -1]
    assert content['mask'] == content['truth']
    assert len(content['images']) == 3


def test_the_film_keeps_to_its_budget() -> None:
    rng = np.random.default_rng(0)
    result = blackout()
    for index in range(40):
        rgb = rng.integers(0, 255, (180, 240, 3), dtype=np.uint8)
        mask = rng.integers(0, 2, (180, 240), dtype=np.uint8)
        result.film.append(KeyPicture(0.1 * index, '', None, Modality.RGB, rgb, None, mask))
    full, small = film(result, 10**9), film(result, 200_000)
    assert len(full['times']) == 40
    assert 1 < len(small['times']) < 40
    assert sum(map(len, small['images'])) <= 200_000


def test_masks_are_palette_images_that_any_reader_decodes() -> None:
    mask = np.array([[0, 1], [255, 1]], np.uint8)
    uri = mask_uri(mask, LABELS, 224)
    content = np.frombuffer(base64.b64decode(uri.partition(',')[2]), np.uint8)
    decoded = cv2.imdecode(content, cv2.IMREAD_COLOR)[..., ::-1]
    assert decoded.tolist() == LABELS.colorize(mask).tolist()


def test_the_heading_has_the_short_name_of_the_engine_and_the_table_the_full_one() -> None:
    result = blackout()
    result.engine = 'openvino 2026.4.1-22982-e213a147257-releases/2026/4'
    assert engine_title(result) == 'OpenVINO 2026.4.1, CPU (2 threads)'
    assert 'openvino 2026.4.1-22982-e213a147257' in page_of(result).text
    result.engine = 'onnxruntime 1.31.1'
    assert engine_title(result) == 'ONNX Runtime 1.31.1, CPU (2 threads)'


def test_every_engine_has_a_title_of_its_own() -> None:
    assert ENGINE_TITLES.keys() == set(ENGINE_NAMES)
    assert len(set(ENGINE_TITLES.values())) == len(ENGINE_NAMES)


def test_the_versions_of_all_engines_are_named_where_they_are_installed(monkeypatch) -> None:
    installed = {'onnxruntime-gpu': '1.22.0', 'tensorrt': '10.13.3', 'opencv-python': '4.12.0'}

    def version(name: str) -> str:
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(metadata, 'version', version)
    found = report.environment()
    assert {name: found.get(name) for name in installed} == installed
    assert not {'openvino', 'torch'} & found.keys()


def test_a_confidence_interval_is_shown_where_there_is_one() -> None:
    assert tables.confidence_interval({'miou_ci': [70.1, 72.3]}) == '70.1 to 72.3'
    assert tables.confidence_interval({'miou_ci': None}) == ''
    assert tables.confidence_interval({}) == ''


def test_the_markdown_tells_the_same_facts() -> None:
    text = report.render_markdown(blackout(), {'Python': '3.12'})
    assert text.startswith('# The camera failed, no mask was lost\n')
    assert '- The camera was dead for 3.0 s.' in text
    assert (
        '| camera | was dead | – | 3.00 to 6.00 s | late after 0.045 s | 0.20 s | 0 | 0 |' in text
    )
    assert '| 3.04 to 6.14 s | depth | rgb drop | 32 | 66.7 |' in text
    assert '| wall | 81.8 | 66.7 | 81.8 | -15.2 |' in text
    for block in text.split('\n\n'):
        rows = [line.count('|') for line in block.splitlines() if line.startswith('|')]
        assert len(set(rows)) <= 1, block


def test_names_from_outside_mark_nothing_up_in_markdown() -> None:
    result = blackout()
    result.recording = 'a|b <img src=x> [link](https://example.org) `code`\n# title'
    result.warnings = ['@somebody *look*']
    text = report.render_markdown(result, {})
    assert '<img' not in text
    assert '[link]' not in text
    assert 'https://' not in text
    assert '\n# title' not in text
    assert '@somebody' not in text
