"""The live node: `ros2 launch crodino_ros segment.launch.py camera:=realsense`."""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch_ros.actions import Node

from crodino_ros.segment_settings import CHOICES
from launch import LaunchContext, LaunchDescription

TOPICS = {
    'realsense': (
        '/camera/camera/color/image_raw',
        '/camera/camera/aligned_depth_to_color/image_raw',
    ),
    'oakd': ('/oak/rgb/image_raw', '/oak/stereo/image_raw'),
    'zed': (
        '/zed/zed_node/rgb/color/rect/image',
        '/zed/zed_node/depth/depth_registered',
    ),
    'sim': ('/rgbd_camera/image', '/rgbd_camera/depth_image'),
}
"""Colour and depth topic of each camera's driver."""
OVERRIDES = (
    'model',
    'engine',
    'precision',
    'color_transport',
    'depth_transport',
    'policy',
    'prefer',
)
"""Arguments that, where given, go before the parameter file."""
SWITCHES = ('use_sim_time', 'autostart')
"""The same, of those that are true or false."""

BOOLEANS = ['true', 'false']


def argument(
    name: str, default: str, description: str, choices: list | None = None
) -> DeclareLaunchArgument:
    return DeclareLaunchArgument(
        name, default_value=default, description=description, choices=choices
    )


ARGUMENTS = [
    argument('camera', 'realsense', 'Whose topic names and parameter file to use.', [*TOPICS]),
    argument('color_topic', '', 'Colour image topic; empty: that of the camera.'),
    argument('depth_topic', '', 'Depth image topic; empty: that of the camera.'),
    argument('namespace', '', 'Namespace of the node and of segmentation/...'),
    argument('params_file', '', 'Parameter file; empty: config/<camera>.param.yaml.'),
    argument(
        'use_sim_time',
        '',
        'Whether time comes from /clock; empty: as the parameter file says.',
        ['', *BOOLEANS],
    ),
    argument('model', '', 'Model bundle, a path or a name; empty: as the parameter file says.'),
    argument(
        'engine',
        '',
        'Inference engine; empty: as the parameter file says.',
        ['', *CHOICES['engine']],
    ),
    argument(
        'precision',
        '',
        "Precision of the model's networks; empty: as the parameter file says.",
        ['', *CHOICES['precision']],
    ),
    argument('color_transport', '', 'Transport of colour.', ['', *CHOICES['color_transport']]),
    argument('depth_transport', '', 'Transport of depth.', ['', *CHOICES['depth_transport']]),
    argument(
        'policy',
        '',
        'prefer one healthy sensor, average both, or take the best of that.',
        ['', *CHOICES['policy']],
    ),
    argument('prefer', '', 'The sensor to serve while it is healthy.', ['', *CHOICES['prefer']]),
    argument(
        'autostart',
        '',
        'Whether the node configures and activates itself; empty: as the parameter file says.',
        ['', *BOOLEANS],
    ),
    argument('log_level', 'info', 'Lowest severity that is logged.'),
    argument('use_respawn', 'false', 'Whether the node is started again if it dies.', BOOLEANS),
]


def start(context: LaunchContext) -> list:
    """Make the node from the arguments."""
    given = context.launch_configurations
    camera = given['camera']
    config = Path(get_package_share_directory('crodino_ros')) / 'config'
    color, depth = TOPICS[camera]
    overrides: dict[str, str | bool] = {name: given[name] for name in OVERRIDES if given[name]}
    overrides |= {name: given[name] == 'true' for name in SWITCHES if given[name]}
    return [
        Node(
            package='crodino_ros',
            executable='segment_node',
            name='segment_node',
            namespace=given['namespace'],
            output='screen',
            parameters=[
                given['params_file'] or str(config / f'{camera}.param.yaml'),
                *([overrides] if overrides else []),
            ],
            remappings=[
                ('color/image_raw', given['color_topic'] or color),
                ('depth/image_rect', given['depth_topic'] or depth),
            ],
            ros_arguments=['--log-level', given['log_level']],
            respawn=given['use_respawn'] == 'true',
            respawn_delay=2.0,
        )
    ]


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and start the node."""
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=start)])
