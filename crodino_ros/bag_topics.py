"""Which topics of a bag hold colour, depth and ground truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crodino_core.errors import CrodinoError, UsageError

ROLES = ('rgb', 'depth', 'label')

_DEFAULTS: dict[str, tuple[str, ...]] = {
    'rgb': (
        '/camera/camera/color/image_raw',  # RealSense
        '/camera/color/image_raw',
        '/camera/color/image_rect',
        '/oak/rgb/image_rect',  # OAK-D
        '/oak/rgb/image_raw',
        '/zed/zed_node/rgb/color/rect/image',  # ZED
        '/zed/zed_node/rgb/image_rect_color',
        '/zed/zed_node/left/image_rect_color',
        '/rgb/image_raw',  # Azure Kinect
        '/camera/rgb/image_rect_color',  # Kinect, Astra, openni
        '/camera/rgb/image_raw',
        '/camera/image_raw',
        '/color/image_rect',
        '/color/image_raw',
        '/image_raw',
    ),
    'depth': (
        '/camera/camera/aligned_depth_to_color/image_raw',  # RealSense
        '/camera/camera/depth/image_rect_raw',
        '/camera/aligned_depth_to_color/image_raw',
        '/camera/depth/image_rect_raw',
        '/oak/stereo/image_raw',  # OAK-D
        '/zed/zed_node/depth/depth_registered',  # ZED
        '/depth_to_rgb/image_raw',  # Azure Kinect
        '/camera/depth_registered/image_raw',  # Kinect, Astra, openni
        '/camera/depth/image_rect',
        '/camera/depth/image_raw',
        '/depth/image_rect',
        '/depth/image_raw',
    ),
    'label': ('/ground_truth/label', '/ground_truth/image', '/segmentation/ground_truth'),
}
_SUFFIXES = {
    'rgb': ('', '/compressed'),
    'depth': ('', '/compressedDepth', '/compressed'),
    'label': ('',),
}
NO_TOPIC = 'none'
"""As the label topic: there are to be no labels."""
IMAGE_TYPES = ('sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage')


def parse_topics(text: str | None) -> dict[str, str]:
    """Read `rgb=/a,depth=/b,label=/c`, the value of `--topics`; `label=none` leaves labels out.

    :raises UsageError: a part is not `role=topic`, or a role is unknown or stands twice.
    """
    topics: dict[str, str] = {}
    for part in (text or '').split(','):
        if not part.strip():
            continue
        role, equals, topic = (piece.strip() for piece in part.partition('='))
        if not equals or not topic or role not in ROLES:
            raise UsageError(
                f'--topics has {part.strip()!r}; parts like rgb=/camera/color/image_raw were '
                f'expected, with {", ".join(ROLES)} before the equals sign'
            )
        if role in topics:
            raise UsageError(f'--topics names {role} twice: {topics[role]} and {topic}')
        is_absolute = topic.startswith('/') or (role == 'label' and topic == NO_TOPIC)
        topics[role] = topic if is_absolute else f'/{topic}'
    return topics


def choose_topics(
    available: Mapping[str, str], asked: Mapping[str, str], bag: str
) -> dict[str, str]:
    """Return the topic of each role: the one asked for, else the first default that is there.

    A default also fits below a namespace (`/robot/camera/color/image_raw`) if only one does.

    :param available: message type of each topic in the bag.
    :param asked: topics by role, see `parse_topics`.
    :return: topics by role; `label` is absent if the bag has none, or `none` was asked for.
    :raises CrodinoError: a topic is not in the bag, or holds no images.
    :raises UsageError: two roles have the same topic.
    """
    chosen: dict[str, str] = {}
    for role in ROLES:
        free = available
        if role == 'label':  # what was named as colour or depth is no ground truth
            free = {t: kind for t, kind in available.items() if t not in chosen.values()}
        topic = asked.get(role) or _default(role, free)
        if role == 'label' and topic in (None, NO_TOPIC):
            continue
        if topic is None:
            raise CrodinoError(
                f'{bag} has no known {role} topic; name it with --topics {role}=/...; '
                f'{_listing(available)}'
            )
        if topic not in available:
            raise CrodinoError(f'{bag} has no topic {topic} ({role}); {_listing(available)}')
        types = _types(role)
        if available[topic] not in types:
            raise CrodinoError(
                f'the {role} topic {topic} of {bag} holds {available[topic]}; '
                f'{" or ".join(types)} was expected; {_listing(available)}'
            )
        for other, taken in chosen.items():
            if taken == topic:
                raise UsageError(
                    f'{topic} of {bag} cannot be both {other} and {role}; name another one with '
                    f'--topics; {_listing(available)}'
                )
        chosen[role] = topic
    return chosen


def _default(role: str, available: Mapping[str, str]) -> str | None:
    names = [base + suffix for base in _DEFAULTS[role] for suffix in _SUFFIXES[role]]
    images = [topic for topic, kind in available.items() if kind in _types(role)]
    for name in names:
        if name in images:
            return name
    for name in names:
        if name.count('/') < 2:  # '/image_raw' alone would also fit '/depth/image_raw'
            continue
        below = [topic for topic in images if topic.endswith(name)]
        if len(below) == 1:
            return below[0]
    return None


def _types(role: str) -> tuple[str, ...]:
    return IMAGE_TYPES[:1] if role == 'label' else IMAGE_TYPES


def _listing(available: Mapping[str, str]) -> str:
    if not available:
        return 'it has no topics at all'
    pairs: Sequence[str] = [f'{topic} [{kind}]' for topic, kind in sorted(available.items())]
    return f'it has: {", ".join(pairs)}'
