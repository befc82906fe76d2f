"""A sample bag as two drivers, a fault injector, and the node.

    ros2 launch crodino_ros demo.launch.py rviz:=true

While it runs, break and repair sensors yourself:
    ros2 param set /fault_injector depth_fault freeze
    ros2 topic echo /segmentation/active_modality
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, OpaqueFunction, Shutdown
from launch_ros.actions import Node

from crodino_ros.bag_launch import injector_parameters, node_parameters
from crodino_ros.bag_topics import parse_topics
from crodino_ros.bags import BagRecording
from crodino_ros.segment_settings import CHOICES
from launch import LaunchContext, LaunchDescription

BOOLEANS = ['true', 'false']
ARGUMENTS = [
    DeclareLaunchArgument('bag', default_value='', description='Bag to play; empty: the sample.'),
    DeclareLaunchArgument(
        'topics',
        default_value='',
        description='rgb=/topic,depth=/topic,label=/topic where the defaults do not fit, as '
        '--topics of crodino replay.',
    ),
    DeclareLaunchArgument(
        'loop', default_value='true', description='Play again and again.', choices=BOOLEANS
    ),
    DeclareLaunchArgument(
        'scenario',
        default_value='',
        description='Scenario to play, a name or a YAML file; empty: only what you break.',
    ),
    DeclareLaunchArgument(
        'duration',
        default_value='30.0',
        description='Seconds that the percentages of the scenario refer to.',
    ),
    DeclareLaunchArgument('model', default_value='indoor', description='Model bundle.'),
    DeclareLaunchArgument(
        'engine',
        default_value='auto',
        description='Inference engine.',
        choices=CHOICES['engine'],
    ),
    DeclareLaunchArgument(
        'color_transport',
        default_value='',
        description='Transport of colour in the bag; empty: as its type says.',
        choices=['', *CHOICES['color_transport']],
    ),
    DeclareLaunchArgument(
        'depth_transport',
        default_value='',
        description='Transport of depth in the bag; empty: as its type says.',
        choices=['', *CHOICES['depth_transport']],
    ),
    DeclareLaunchArgument(
        'rviz', default_value='false', description='Show it in RViz.', choices=BOOLEANS
    ),
    DeclareLaunchArgument(
        'foxglove',
        default_value='false',
        description='Start foxglove_bridge; open foxglove/segment.json in Foxglove.',
        choices=BOOLEANS,
    ),
]


def crodino(executable: str, parameters: dict, remappings: list = (), **how) -> Node:
    return Node(
        package='crodino_ros',
        executable=executable,
        output='screen',
        parameters=[parameters],
        remappings=list(remappings),
        **how,
    )


def start(context: LaunchContext) -> list:
    """Make the nodes from the arguments."""
    given = context.launch_configurations
    share = Path(get_package_share_directory('crodino_ros'))
    bag = given['bag'] or str(share / 'samples' / 'room')
    recording = BagRecording(bag, parse_topics(given['topics']))
    transports = injector_parameters(recording)
    transports.update({name: given[name] for name in transports if given[name]})
    driver = [
        (f'{topic}{suffix}', f'driver/{topic}{suffix}')
        for topic in ('color/image_raw', 'depth/image_rect')
        for suffix in ('', '/compressed', '/compressedDepth')
    ]
    injected = [(f'input/{old}', new) for old, new in driver]
    nodes = [
        crodino(
            'segment_node',
            {
                'model': given['model'],
                'engine': given['engine'],
                **node_parameters(recording),
            },
        ),
        crodino(
            'fault_injector_node',
            {
                'scenario': given['scenario'],
                'duration': float(given['duration']),
                **transports,
            },
            injected,
        ),
        crodino(
            'bag_player_node',
            {'bag': bag, 'topics': given['topics'], 'loop': given['loop'] == 'true'},
            driver,
            on_exit=Shutdown(reason='the bag has ended'),
        ),
    ]
    if given['rviz'] == 'true':
        nodes.append(
            Node(
                package='rviz2',
                executable='rviz2',
                arguments=['-d', str(share / 'rviz' / 'segment.rviz')],
            )
        )
    if given['foxglove'] == 'true':
        nodes.append(Node(package='foxglove_bridge', executable='foxglove_bridge'))
    return nodes


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and start the nodes."""
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=start)])
