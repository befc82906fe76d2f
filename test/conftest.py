"""What holds for all tests."""

import importlib.util

from hypothesis import settings

# The same examples everywhere, and no failure because a machine is busy.
settings.register_profile(
    'reproducible', derandomize=True, database=None, deadline=None, max_examples=60
)
settings.load_profile('reproducible')

if importlib.util.find_spec('torch') is None:
    # A robot has no torch, and `colcon test` shall pass there all the same.
    collect_ignore = [
        f'test_{name}.py'
        for name in (
            *('decoupled_augment', 'export', 'losses', 'methods', 'train', 'train_config'),
            'twin',
        )
    ]
