"""Definitions of the interfaces that the type store of `rosbags` does not carry.

Texts as in rcl_interfaces, lifecycle_msgs, rosbag2_interfaces, std_srvs (Jazzy) and vision_msgs 4,
without comments.
"""

MESSAGES: dict[str, str] = {
    'vision_msgs/msg/VisionClass': 'uint16 class_id\nstring class_name',
    'vision_msgs/msg/LabelInfo': (
        'std_msgs/Header header\nvision_msgs/VisionClass[] class_map\nfloat32 threshold'
    ),
}

SERVICES: dict[str, tuple[str, str]] = {
    'lifecycle_msgs/srv/ChangeState': ('lifecycle_msgs/Transition transition', 'bool success'),
    'lifecycle_msgs/srv/GetAvailableStates': ('', 'lifecycle_msgs/State[] available_states'),
    'lifecycle_msgs/srv/GetAvailableTransitions': (
        '',
        'lifecycle_msgs/TransitionDescription[] available_transitions',
    ),
    'lifecycle_msgs/srv/GetState': ('', 'lifecycle_msgs/State current_state'),
    'rcl_interfaces/srv/DescribeParameters': (
        'string[] names',
        'rcl_interfaces/ParameterDescriptor[] descriptors',
    ),
    'rcl_interfaces/srv/GetParameters': (
        'string[] names',
        'rcl_interfaces/ParameterValue[] values',
    ),
    'rcl_interfaces/srv/GetParameterTypes': ('string[] names', 'uint8[] types'),
    'rcl_interfaces/srv/ListParameters': (
        'uint64 DEPTH_RECURSIVE=0\nstring[] prefixes\nuint64 depth',
        'rcl_interfaces/ListParametersResult result',
    ),
    'rcl_interfaces/srv/SetParameters': (
        'rcl_interfaces/Parameter[] parameters',
        'rcl_interfaces/SetParametersResult[] results',
    ),
    'rcl_interfaces/srv/SetParametersAtomically': (
        'rcl_interfaces/Parameter[] parameters',
        'rcl_interfaces/SetParametersResult result',
    ),
    'rosbag2_interfaces/srv/Resume': ('', ''),
    'std_srvs/srv/Empty': ('', ''),
    'std_srvs/srv/SetBool': ('bool data', 'bool success\nstring message'),
    'std_srvs/srv/Trigger': ('', 'bool success\nstring message'),
}
