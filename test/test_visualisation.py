"""The RViz configuration and the Foxglove layout show topics that there are, in a way that works.

Class, property and panel names are those of ros2/rviz and of Foxglove's open-source releases.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
LAYOUT = json.loads((ROOT / 'foxglove' / 'segment.json').read_text())
DISPLAYS = yaml.safe_load((ROOT / 'rviz' / 'segment.rviz').read_text())['Visualization Manager'][
    'Displays'
]
TOPICS = {
    *('/color/image_raw', '/depth/image_rect', '/diagnostics', '/fault_injector/active_faults'),
    *(f'/segmentation/{topic}' for topic in ('overlay', 'confidence', 'active_modality')),
}
QOS = {
    'Depth': range(1, 100),
    'Durability Policy': ('Volatile',),  # no publisher of images is latched
    'History Policy': ('Keep Last',),
    'Reliability Policy': ('Reliable', 'Best Effort'),
}
PANELS = {
    'Image': lambda config: [config['imageMode']['imageTopic']],
    'StateTransitions': lambda config: [path['value'].split('.')[0] for path in config['paths']],
    'DiagnosticSummary': lambda config: [config['topicToRender']],
    'Parameters': lambda config: [],
}


@pytest.mark.parametrize('display', DISPLAYS, ids=lambda display: display['Name'])
def test_every_display_of_rviz_shows_images_of_a_topic_that_there_is(display):
    assert display['Class'] == 'rviz_default_plugins/Image'
    assert {*display} <= {
        *('Class', 'Name', 'Enabled', 'Value', 'Topic'),
        *('Normalize Range', 'Max Value', 'Min Value', 'Median window'),
    }
    topic = dict(display['Topic'])
    assert topic.pop('Value') in TOPICS
    assert {*topic} == {*QOS}
    assert all(value in QOS[policy] for policy, value in topic.items())


def panels_of(place) -> list[str]:
    """Return the panels of a part of a Foxglove layout."""
    if isinstance(place, str):
        return [place]
    assert place['direction'] in ('row', 'column')
    assert 0 < place.get('splitPercentage', 50) < 100
    return panels_of(place['first']) + panels_of(place['second'])


def test_the_foxglove_layout_has_the_parts_of_one():
    assert {*LAYOUT} == {'configById', 'globalVariables', 'userNodes', 'playbackConfig', 'layout'}
    assert sorted(panels_of(LAYOUT['layout'])) == sorted(LAYOUT['configById'])


@pytest.mark.parametrize('panel', LAYOUT['configById'])
def test_every_panel_of_foxglove_shows_a_topic_that_there_is(panel):
    topics = PANELS[panel.split('!')[0]](LAYOUT['configById'][panel])
    assert {*topics} <= TOPICS
