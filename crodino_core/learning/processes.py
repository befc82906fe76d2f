"""Several processes that train one model together, as `torchrun` starts them (DDP).

What they compute is what one process computes on the whole batch: each takes its share of every
batch, means are taken over the labelled pixels of all, batch norms see the batch of all, and the
contrast has the prototypes of all. Only dropout draws other numbers.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel

from crodino_core.errors import CrodinoError, UsageError


def count() -> int:
    """Return the number of processes, 1 without `torchrun`."""
    return dist.get_world_size() if _together() else 1


def rank() -> int:
    """Return this process's number, 0 without `torchrun`."""
    return dist.get_rank() if _together() else 0


def is_first() -> bool:
    """Whether this is the process that writes and speaks, also when the others have left."""
    return not _started() or int(os.environ.get('RANK', 0)) == 0


def local_rank() -> int:
    """Return the number of this process among those of its machine: the number of its GPU."""
    return int(os.environ.get('LOCAL_RANK', 0))


@contextmanager
def joined(device: torch.device) -> Iterator[None]:
    """Join the processes that `torchrun` started, over NCCL on GPUs and Gloo on CPUs.

    :raises CrodinoError: the others cannot be reached, or have ended.
    """
    if not _started() or _together():
        yield
        return
    try:
        dist.init_process_group('nccl' if device.type == 'cuda' else 'gloo')
    except (RuntimeError, ValueError) as error:
        reason = ' '.join(str(error).split())
        raise CrodinoError(
            f'the other processes cannot be reached: {reason}; start training with torchrun, '
            'which sets RANK, WORLD_SIZE and MASTER_ADDR'
        ) from error
    try:
        yield
    except RuntimeError as error:
        if not _is_of_another(error):
            raise
        raise CrodinoError(
            f'process {os.environ.get("RANK")} has lost another one, which says why it ended, on '
            'its machine; start training again with torchrun'
        ) from error
    finally:
        dist.destroy_process_group()


def gathered(tensor: Tensor) -> Tensor:
    """Put the tensors of all processes one after the other, B x ... to nB x ...; differentiable.

    :param tensor: of one shape in every process.
    """
    if not _together():
        return tensor
    return _Gathered.apply(tensor)


@torch.no_grad()
def mean(tensor: Tensor) -> Tensor:
    """Return the mean over all processes; not differentiable."""
    if not _together():
        return tensor
    total = tensor.detach().clone().to(torch.get_default_dtype())
    dist.all_reduce(total)
    return total / count()


def collected(content: Any) -> list[Any]:
    """Return what each process holds, by rank."""
    if not _together():
        return [content]
    everything: list[Any] = [None] * count()
    dist.all_gather_object(everything, content)
    return everything


def with_mean_gradients(objective: nn.Module) -> nn.Module:
    """Let the processes average their gradients (DDP), if there are several."""
    if not _together():
        return objective
    # A hint about 1x1 convolutions, whose memory is the same in both orders.
    warnings.filterwarnings('ignore', 'Grad strides do not match bucket view strides')
    # A static graph may leave parameters without a gradient, as the auxiliary decoder's are.
    return DistributedDataParallel(objective, static_graph=True)


class _Gathered(torch.autograd.Function):
    """What all processes hold, one after the other; each gets back the gradient of its own."""

    @staticmethod
    def forward(context: Any, tensor: Tensor) -> Tensor:
        everything = [torch.empty_like(tensor).contiguous() for _ in range(count())]
        dist.all_gather(everything, tensor.contiguous())
        return torch.cat(everything)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        dist.all_reduce(total)
        return total.chunk(count())[rank()]


class _Summed(torch.autograd.Function):
    """The sum over all processes, whose losses all depend on it."""

    @staticmethod
    def forward(context: Any, tensor: Tensor) -> Tensor:
        total = tensor.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        dist.all_reduce(total)
        return total


class GlobalBatchNorm2d(nn.BatchNorm2d):
    """Batch norm over the batches of all processes, also where `nn.SyncBatchNorm` cannot be.

    That one works on GPUs only.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise B x C x H x W; outside training by the running statistics."""
        if not (self.training and _together()):
            return super().forward(x)
        wide = x.float()
        # By pixels: a decoder has more images in a process that has more mixed ones.
        own = torch.tensor([x.numel() // x.shape[1]], device=x.device, dtype=wide.dtype)
        sums = _Summed.apply(torch.cat([wide.sum((0, 2, 3)), own]))
        pixels = sums[-1]
        centre = sums[:-1] / pixels
        centred = wide - centre[:, None, None]
        variance = _Summed.apply(centred.square().sum((0, 2, 3))) / pixels
        self._remember(centre, variance * (pixels / (pixels - 1).clamp(min=1)))
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)

    @torch.no_grad()
    def _remember(self, centre: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None and self.momentum is not None
        self.num_batches_tracked += 1
        self.running_mean.lerp_(centre, self.momentum)
        self.running_var.lerp_(variance, self.momentum)


def with_global_batch_norm(model: nn.Module, device: torch.device) -> nn.Module:
    """Let every batch norm see the whole batch; the names and values of the state stay."""
    if not _together():
        return model
    if device.type == 'cuda':
        return nn.SyncBatchNorm.convert_sync_batchnorm(model)
    for module in model.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = GlobalBatchNorm2d
    return model


def choose_device(name: str) -> torch.device:
    """Return the device of a name; of several GPUs the one of this process.

    :raises UsageError: it cannot be used.
    """
    if name == 'auto':
        name = 'cuda' if torch.cuda.is_available() else 'cpu'
    if name == 'cuda':
        name = f'cuda:{local_rank()}'
    reason = _why_not(name)
    if reason is not None:
        raise UsageError(
            f'the device {name!r} cannot be used: {reason}; auto, cpu, cuda or cuda:N (a number '
            'from 0) was expected'
        )
    device = torch.device(name)
    if device.type == 'cuda':
        torch.cuda.set_device(device)
    return device


def _why_not(device: str) -> str | None:
    """Say why nothing can be computed on a device; None: it can."""
    if not re.fullmatch(r'cpu|mps|cuda:\d+', device):
        return 'it is none that training knows'
    if device == 'mps' and not torch.backends.mps.is_available():
        return 'torch does not find it here'
    try:
        torch.ones(1, device=device).add(1).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        return str(error).strip().partition('\n')[0]
    return None


def _is_of_another(error: RuntimeError) -> bool:
    """Whether an error is that of a process whose partner is no longer there."""
    text = str(error).lower()
    return isinstance(error, dist.DistError) or 'gloo' in text or 'nccl' in text


def _started() -> bool:
    return int(os.environ.get('WORLD_SIZE', 1)) > 1


def _together() -> bool:
    return dist.is_available() and dist.is_initialized()
