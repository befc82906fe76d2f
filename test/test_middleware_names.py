"""Names, remapping and the command line of the embedded middleware."""

from __future__ import annotations

import pytest

pytest.importorskip('cyclonedds')

from crodino_ros.middleware.embedded.arguments import parse
from crodino_ros.middleware.embedded.exceptions import (
    NameValidationException,
    ROSArgumentsError,
)
from crodino_ros.middleware.embedded.names import Remapper, expand


@pytest.mark.parametrize(
    ('name', 'full'),
    [
        ('image', '/robot/image'),
        ('color/image_raw', '/robot/color/image_raw'),
        ('/tf', '/tf'),
        ('~/mask', '/robot/segment/mask'),
        ('~', '/robot/segment'),
    ],
)
def test_a_name_is_made_absolute_inside_its_node(name, full):
    assert expand(name, 'segment', '/robot') == full


def test_the_root_namespace_adds_nothing():
    assert expand('image', 'segment', '/') == '/image'
    assert expand('~/image', 'segment', '/') == '/segment/image'


@pytest.mark.parametrize('name', ['', 'a//b', 'a/', '1a', 'a b', 'a-b', '~a', 'a/~/b'])
def test_a_malformed_name_is_refused(name):
    with pytest.raises(NameValidationException, match='topic or service name'):
        expand(name, 'segment', '/')


def _remapper(*rules: str) -> Remapper:
    args = [part for rule in rules for part in ('-r', rule)]
    return Remapper(parse(['--ros-args', *args]).remaps, 'segment', '/')


def test_a_topic_is_remapped_whatever_way_it_is_written():
    remapper = _remapper('color/image_raw:=/camera/color', '/depth:=depth2')
    assert remapper.resolve('/color/image_raw') == '/camera/color'
    assert remapper.resolve('depth') == '/depth2'
    assert remapper.resolve('depth', only_expand=True) == '/depth'


def test_node_and_namespace_are_remapped_before_the_topics():
    remapper = _remapper('__ns:=/robot', '__node:=eyes', 'image:=picture')
    assert (remapper.node_name, remapper.namespace) == ('eyes', '/robot')
    assert remapper.resolve('image') == '/robot/picture'
    assert remapper.resolve('~/x') == '/robot/eyes/x'


def test_a_rule_for_another_node_is_left_alone():
    remapper = _remapper('other:image:=x', 'segment:image:=y')
    assert remapper.resolve('image') == '/y'


def test_arguments_around_the_ros_arguments_are_kept():
    arguments = parse(['--bag', 'x', '--ros-args', '-r', 'a:=b', '--', '--more'])
    assert arguments.others == ['--bag', 'x', '--more']
    assert len(arguments.remaps) == 1


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('3', 3),
        ('3.0', 3.0),
        ('1e-3', 0.001),
        ('true', True),
        ('rgb', 'rgb'),
        ("'3'", '3'),
        ('[1, 2]', [1, 2]),
        ('[a, b]', ['a', 'b']),
        ('a: b', 'a: b'),
        ('[1,', '[1,'),
        ('', ''),
    ],
)
def test_a_parameter_value_has_the_type_that_yaml_gives_it(text, value):
    found = parse(['--ros-args', '-p', f'x:={text}']).overrides('n', '/')['x']
    assert found == value
    assert type(found) is type(value)


def test_a_parameter_file_reaches_the_nodes_it_names(tmp_path):
    path = tmp_path / 'x.param.yaml'
    path.write_text(
        '/**:\n  ros__parameters: {a: 1, b: {c: 2}}\n'
        'segment:\n  ros__parameters: {a: 3}\n'
        'robot:\n  segment:\n    ros__parameters: {d: 4}\n'
        '/robot/*:\n  ros__parameters: {e: 5}\n'
        '/other/segment:\n  ros__parameters: {f: 6}\n'
    )
    arguments = parse(['--ros-args', '--params-file', str(path), '-p', 'b.c:=7'])
    robot = arguments.overrides('segment', '/robot')
    assert robot == {'a': 3, 'b.c': 7, 'd': 4, 'e': 5}
    assert arguments.overrides('viewer', '/') == {'a': 1, 'b.c': 7}


@pytest.mark.parametrize(
    ('args', 'reason'),
    [
        (['-r', 'ab'], '":="'),
        (['-r'], 'needs a value'),
        (['--bogus'], "'--bogus'"),
        (['--enclave', '/x'], 'not offered'),
        (['-r', 'rostopic://a:=b'], 'not offered'),
        (['--params-file', '/no/such.yaml'], 'cannot be read'),
        (['-r', '__ns:=ns'], 'invalid namespace'),
        (['-r', '__ns:=/bad-ns'], 'invalid namespace'),
        (['-r', '__node:=1x'], 'invalid node name'),
        (['-r', 'color/image_raw:='], 'invalid topic'),
        (['-r', 'color/image_raw:=/a//b'], 'invalid topic'),
    ],
)
def test_ros_arguments_that_cannot_be_followed_say_why(args, reason):
    with pytest.raises(ROSArgumentsError, match=reason):
        parse(['--ros-args', *args])


@pytest.mark.parametrize(
    'text',
    [
        *('[1, 2', '- a', 'segment:\n  rate: 3', 'segment: 3'),
        *('segment: {ros__parameters: [1, 2]}', 'segment: {ros__parameters: text}', '\xff'),
    ],
)
def test_a_malformed_parameter_file_is_named(tmp_path, text):
    path = tmp_path / 'x.yaml'
    path.write_text(text, encoding='latin-1')
    with pytest.raises(ROSArgumentsError, match=r'x\.yaml'):
        parse(['--ros-args', '--params-file', str(path)])
