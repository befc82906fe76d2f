"""Callback groups: accepted for rclpy's sake; one thread runs all callbacks, one at a time."""


class CallbackGroup:
    """Base of the groups."""


class MutuallyExclusiveCallbackGroup(CallbackGroup):
    """Its callbacks never run at the same time."""


class ReentrantCallbackGroup(CallbackGroup):
    """Its callbacks might run at the same time; here they do not."""
