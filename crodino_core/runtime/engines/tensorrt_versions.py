"""Where TensorRT 8.6, 10 and 11 differ; everything else is written once for all of them."""

from __future__ import annotations

from typing import Any


def major_version(trt: Any) -> int:
    """Return 8, 10 or 11."""
    return int(str(trt.__version__).split('.')[0])


def create_network(trt: Any, builder: Any, config: Any, precision: str, dla: bool) -> Any:
    """Return an empty network whose tensors keep the types that the ONNX file gives them.

    Strongly typed since 9, always so in 11. In 8.6, and for the DLA up to 10.7, flags allow a
    precision, and `hold_precision` keeps the parts in float32 that the file keeps there.
    """
    flags = trt.NetworkDefinitionCreationFlag
    weak = hasattr(trt.BuilderFlag, 'FP16') and (dla or not hasattr(flags, 'STRONGLY_TYPED'))
    if not weak:
        return builder.create_network(1 << int(flags.STRONGLY_TYPED))
    if precision == 'int8':
        config.set_flag(trt.BuilderFlag.INT8)
    if precision != 'float32' or dla:  # the DLA has no float32
        config.set_flag(trt.BuilderFlag.FP16)
        config.set_flag(trt.BuilderFlag.PREFER_PRECISION_CONSTRAINTS)
    return builder.create_network(1 << int(flags.EXPLICIT_BATCH))


def hold_precision(trt: Any, network: Any, float_tensors: frozenset[str]) -> None:
    """In a network that is not strongly typed, keep in float32 what the ONNX file keeps there."""
    if major_version(trt) > 8:
        return
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        if layer.num_outputs and layer.get_output(0).name in float_tensors:
            layer.precision = trt.float32


def watch_progress(trt: Any, config: Any, tell: Any) -> None:
    """Have `tell` called with what the builder does, where it says so (since 9)."""
    if not hasattr(trt, 'IProgressMonitor'):
        return

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._steps: dict[str, int] = {}

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self._steps[phase_name] = num_steps

        def step_complete(self, phase_name: str, step: int) -> bool:
            tell(f'{phase_name} {step + 1}/{self._steps.get(phase_name, 0)}')
            return True

        def phase_finish(self, phase_name: str) -> None:
            self._steps.pop(phase_name, None)

    config.progress_monitor = Monitor()
