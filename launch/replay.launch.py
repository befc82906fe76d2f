"""A bag through the live node, recorded and reported.

    ros2 launch crodino_ros replay.launch.py bag:=my_bag scenario:=camera_blackout

`ros2 bag play --clock`, fault injector, node (on simulated time) and `ros2 bag record`. The bag
begins when all of them listen; when it has ended, `crodino replay` writes the report of the same
bag and scenario beside what was recorded.
"""

from pathlib import Path

from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    OpaqueFunction,
    RegisterEventHandler,
    TimerAction,
)
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.events.process import ProcessExited
from launch_ros.actions import Node

from crodino_ros.bag_launch import injector_parameters, node_parameters, transports
from crodino_ros.bag_topics import parse_topics
from crodino_ros.bags import BagRecording, name_without_ending
from crodino_ros.segment_settings import CHOICES
from launch import LaunchContext, LaunchDescription

RECORDED = (
    '/segmentation/mask',
    '/segmentation/confidence',
    '/segmentation/label_info',
    '/segmentation/active_modality',
    '/segmentation/status',
    '/fault_injector/active_faults',
    '/diagnostics',
)
BOOLEANS = ['true', 'false']
SETTINGS = ('model', 'engine', 'policy', 'prefer')
"""Arguments that mean the same to the node and to the report's replay."""
ARGUMENTS = [
    DeclareLaunchArgument('bag', description='The bag to play: a folder, .mcap or .db3 file.'),
    DeclareLaunchArgument(
        'topics',
        default_value='',
        description='rgb=/topic,depth=/topic,label=/topic where the defaults do not fit, as '
        '--topics of crodino replay.',
    ),
    DeclareLaunchArgument(
        'scenario', default_value='', description='What fails when, a name or a YAML file.'
    ),
    DeclareLaunchArgument('model', default_value='indoor', description='Model bundle.'),
    DeclareLaunchArgument(
        'engine',
        default_value='auto',
        description='Inference engine.',
        choices=CHOICES['engine'],
    ),
    DeclareLaunchArgument(
        'policy',
        default_value='prefer',
        description='prefer one healthy sensor, average both, or take the best of that.',
        choices=CHOICES['policy'],
    ),
    DeclareLaunchArgument(
        'prefer',
        default_value='rgb',
        description='The sensor to serve while it is healthy.',
        choices=CHOICES['prefer'],
    ),
    DeclareLaunchArgument('rate', default_value='1.0', description='Speed of the playback.'),
    DeclareLaunchArgument(
        'out', default_value='', description='Folder to write into. [default: <bag>_live]'
    ),
    DeclareLaunchArgument(
        'record', default_value='true', description='Record the masks.', choices=BOOLEANS
    ),
    DeclareLaunchArgument(
        'report',
        default_value='true',
        description='Write the report of the bag and scenario at the end.',
        choices=BOOLEANS,
    ),
]


def start(context: LaunchContext) -> list:
    """Make the processes from the arguments."""
    given = context.launch_configurations
    bag = Path(given['bag'])
    recording = BagRecording(bag, parse_topics(given['topics']))
    out = Path(given['out'] or f'{name_without_ending(bag)}_live')
    node = {
        **{name: given[name] for name in SETTINGS},
        **node_parameters(recording),
        'use_sim_time': True,
    }
    listened_to = [recording.topics[role] for role in ('rgb', 'depth')]
    player = ExecuteProcess(
        cmd=[
            *('ros2', 'bag', 'play', str(bag), '--clock', '100', '--rate', given['rate']),
            *('--start-paused', '--disable-keyboard-controls'),
        ],
        output='screen',
    )
    listeners = [
        Node(
            package='crodino_ros',
            executable='segment_node',
            output='screen',
            parameters=[node],
        ),
        injector(recording, given['scenario']),
    ]
    if given['record'] == 'true':
        listened_to.append('/segmentation/mask')
        listeners.append(recorder(out / 'masks'))
    starter = Node(
        package='crodino_ros',
        executable='bag_starter_node',
        output='screen',
        parameters=[{'topics': listened_to}],
    )
    without = [
        RegisterEventHandler(OnProcessExit(target_action=each, on_exit=[stop('a process ended')]))
        for each in listeners
    ]
    return [
        *without,
        RegisterEventHandler(OnProcessExit(target_action=starter, on_exit=give_up_if_it_failed)),
        RegisterEventHandler(OnProcessExit(target_action=player, on_exit=ending(given, bag, out))),
        *(*listeners, player, starter),
    ]


def stop(reason: str) -> EmitEvent:
    return EmitEvent(event=Shutdown(reason=reason))


def give_up_if_it_failed(event: ProcessExited, context: LaunchContext) -> list:
    return [stop('the bag cannot be played')] if event.returncode else []


def recorder(masks: Path) -> ExecuteProcess:
    """Make the process that records what the node says."""
    if masks.exists():
        raise RuntimeError(f'{masks} is there already; name another folder with out:=...')
    return ExecuteProcess(
        cmd=[
            *('ros2', 'bag', 'record', '--storage', 'mcap', '--use-sim-time'),
            *('--output', str(masks), '--topics', *RECORDED),
        ],
        output='screen',
    )


def injector(recording: BagRecording, scenario: str) -> Node:
    """Make the fault injector between the topics of the bag and the node."""
    inputs = {'rgb': 'input/color/image_raw', 'depth': 'input/depth/image_rect'}
    remappings = []
    for role, transport in transports(recording).items():
        suffix = '' if transport == 'raw' else f'/{transport}'
        remappings.append((inputs[role] + suffix, recording.topics[role]))
    return Node(
        package='crodino_ros',
        executable='fault_injector_node',
        output='screen',
        parameters=[
            {
                'use_sim_time': True,
                'scenario': scenario,
                'duration': recording.duration,
                **injector_parameters(recording),
            }
        ],
        remappings=remappings,
    )


def ending(given: dict, bag: Path, out: Path) -> list:
    """Make what follows when the bag has ended: the report, then the end."""
    end = stop('the bag has ended')
    if given['report'] != 'true':
        return [TimerAction(period=1.0, actions=[end])]
    report = ExecuteProcess(
        cmd=[
            *('ros2', 'run', 'crodino_ros', 'crodino', 'replay', str(bag)),
            *(('--scenario', given['scenario']) if given['scenario'] else ()),
            *(('--topics', given['topics']) if given['topics'] else ()),
            *(part for name in SETTINGS for part in (f'--{name}', given[name])),
            *('--out', str(out / 'report')),
        ],
        output='screen',
    )
    return [RegisterEventHandler(OnProcessExit(target_action=report, on_exit=[end])), report]


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and start the processes."""
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=start)])
