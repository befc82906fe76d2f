"""What holds for all tests."""

import importlib.util

from hypothesis import settings

# The same examples everywhere, and no failure because a machine is busy.
settings.register_profile(
    'reproducible', derandomize=True, database=None, deadline=None, max_examples=60
)
settings.load_profile('reproducible')

collect_ignore = []
# A robot has no torch, and `colcon test` shall pass there all the same.
if importlib.util.find_spec('onnxruntime') is None:
    collect_ignore += [
        f'test_{name}.py'
        for name in (
            *('engine_command', 'export_precision', 'precision', 'quantize'),
            *('tensorrt_engine', 'tensorrt_graph'),
        )
    ]
if importlib.util.find_spec('torch') is None:
    collect_ignore += [
        f'test_{name}.py'
        for name in (
            *('allocator', 'bench_training', 'data_check', 'data_from_bag', 'decoupled_augment'),
            *('export', 'loader_speed', 'losses', 'methods', 'optimiser', 'processes', 'train'),
            *('train_config', 'twin', 'validate'),
        )
    ]
