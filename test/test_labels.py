"""Class names, colours and the unlabelled value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from crodino_core.errors import CrodinoError
from crodino_core.labels import LabelSet

LABELS = LabelSet(('floor', 'chair'), ((10, 20, 30), (200, 100, 0)))


def test_a_label_set_survives_plain_data() -> None:
    assert LabelSet.from_list(LABELS.to_list()) == LABELS


def test_a_label_set_is_read_from_yaml(tmp_path: Path) -> None:
    path = tmp_path / 'classes.yaml'
    path.write_text(yaml.safe_dump({'void_index': 255, 'classes': LABELS.to_list()}))

    assert LabelSet.from_yaml(path) == LABELS


def test_the_order_in_the_file_does_not_matter_but_the_index_does() -> None:
    assert LabelSet.from_list(LABELS.to_list()[::-1]) == LABELS


def test_further_keys_of_a_class_are_ignored() -> None:
    classes = [entry | {'comment': 'any'} for entry in LABELS.to_list()]

    assert LabelSet.from_list(classes) == LABELS


def test_masks_are_shown_in_the_classes_colours_and_unlabelled_is_black() -> None:
    picture = LABELS.colorize(np.array([[0, 1, 255, 9]], np.uint8))

    assert picture.tolist() == [[[10, 20, 30], [200, 100, 0], [0, 0, 0], [0, 0, 0]]]
    assert picture.dtype == np.uint8


@pytest.mark.parametrize(
    ('names', 'colors', 'answer'),
    [
        ((), (), '0 classes'),
        (('a', 'b'), ((1, 2, 3),), '2 names but 1 colours'),
        (('a', 'a'), ((1, 2, 3), (1, 2, 3)), 'stand twice: a'),
        (('a',), ((1, 2),), 'three values'),
        (('a',), ((1, 2, 300),), '300'),
        (tuple(map(str, range(256))), ((0, 0, 0),) * 256, '256 classes'),
    ],
)
def test_a_label_set_that_makes_no_sense_is_refused(names: Any, colors: Any, answer: str) -> None:
    with pytest.raises(CrodinoError, match=answer):
        LabelSet(names, colors)


@pytest.mark.parametrize(
    ('classes', 'answer'),
    [
        ('floor', 'a list of classes'),
        (['floor'], 'a list of classes'),
        ([{'index': 0, 'name': 'floor'}], 'lacks color_rgb'),
        ([{'index': 1, 'name': 'floor', 'color_rgb': [1, 2, 3]}], r'\[1\]; 0 to 0'),
        ([{'index': 0, 'name': 'floor', 'color_rgb': [1, 2]}], r'\[1, 2\]; three'),
        ([{'index': 'x', 'name': 'floor', 'color_rgb': [1, 2, 3]}], r"\['x'\]; 0 to 0"),
        ([{'index': 0, 'name': 'floor', 'color_rgb': 'red'}], 'red'),
        ([{'index': 0, 'name': 'floor', 'color_rgb': [1, 2, float('inf')]}], 'inf.; three'),
        ([{'index': 0, 'name': 'floor', 'color_rgb': [1, 2, float('nan')]}], 'nan.; three'),
    ],
)
def test_a_wrong_class_list_is_refused(classes: Any, answer: str) -> None:
    with pytest.raises(CrodinoError, match=answer):
        LabelSet.from_list(classes)


@pytest.mark.parametrize(
    ('text', 'answer'),
    [
        ('classes: [', 'cannot be read'),
        ('names: [a]', 'the key classes'),
        ('void_index: 0\nclasses: []', 'void_index is 0'),
        ('classes: [2024-13-45]', 'cannot be read'),
        ('classes: []\nclasses: []', 'given twice'),
    ],
)
def test_a_damaged_class_file_is_refused_by_name(tmp_path: Path, text: str, answer: str) -> None:
    path = tmp_path / 'classes.yaml'
    path.write_text(text)
    with pytest.raises(CrodinoError, match=rf'classes\.yaml.*{answer}'):
        LabelSet.from_yaml(path)
