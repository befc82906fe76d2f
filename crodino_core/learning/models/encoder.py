"""Any torchvision backbone as an encoder of output stride 16 with a skip of stride 4."""

from __future__ import annotations

from pathlib import Path
from urllib.error import URLError

import torch
import torchvision
from torch import Tensor, nn

from crodino_core.errors import CrodinoError, UsageError
from crodino_core.learning.models.depthwise import widen_depthwise
from crodino_core.learning.tensor_file import read_tensors

SKIP_STRIDE = 4
OUTPUT_STRIDE = 16
CHAINS = (
    ('conv1', 'bn1', 'relu', 'maxpool', 'layer1', 'layer2', 'layer3', 'layer4'),  # ResNet
    ('conv1', 'maxpool', 'stage2', 'stage3', 'stage4', 'conv5'),  # ShuffleNet
    ('stem', 'trunk_output'),  # RegNet
    ('features',),  # MobileNet, EfficientNet, ConvNeXt, DenseNet, VGG
    ('layers',),  # MNASNet
)
"""Names of the parts that torchvision's classifiers run one after the other."""


class Encoder(nn.Module):
    """Features of stride 16 and, for sharp outlines, of stride 4 (DeepLabV3+).

    The backbone's last stride is replaced by dilation, as in DeepLab, so that any convolutional
    torchvision classifier made of a chain of stages serves, see `CHAINS`.
    """

    def __init__(
        self, backbone: str = 'mobilenet_v2', in_channels: int = 3, weights: str | None = None
    ) -> None:
        """Build the encoder.

        :param backbone: a torchvision classification model by name.
        :param in_channels: channels of the input; the first convolution is adapted to them.
        :param weights: None, `imagenet` (torchvision's default weights, downloaded), or the path
            of a state dict of that torchvision model.
        :raises UsageError: the backbone is unknown or has no chain of convolutional stages.
        :raises CrodinoError: the initial weights cannot be had or are of another network.
        """
        super().__init__()
        stages = _stages(_classifier(backbone, weights))
        strides, _ = _probe(stages)
        for stage, stride in zip(stages, strides, strict=True):
            if stride > OUTPUT_STRIDE:
                _dilate(stage, stride // OUTPUT_STRIDE)
            widen_depthwise(stage)
        dilated_strides, channels = _probe(stages)
        if SKIP_STRIDE not in strides or dilated_strides[-1] != OUTPUT_STRIDE:
            raise UsageError(
                f'backbone {backbone} has stages of stride {sorted(set(strides))}, '
                f'{dilated_strides[-1]} after dilation; one of {SKIP_STRIDE} and the last of '
                f'{OUTPUT_STRIDE} were expected; try mobilenet_v2 or resnet50'
            )
        self.stages = nn.ModuleList(stages)
        self.skip_stage = max(i for i, stride in enumerate(strides) if stride == SKIP_STRIDE)
        self.channels = channels[-1]
        self.skip_channels = channels[self.skip_stage]
        if in_channels != 3:
            _adapt_first_convolution(self, in_channels)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Encode B x in_channels x H x W.

        :return: features B x channels x H/16 x W/16, skip B x skip_channels x H/4 x W/4.
        """
        skip = x
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index == self.skip_stage:
                skip = x
        return x, skip


def _classifier(backbone: str, weights: str | None) -> nn.Module:
    if backbone not in torchvision.models.list_models(module=torchvision.models):
        raise UsageError(
            f'{backbone} is not a torchvision classification model; '
            'mobilenet_v2, mobilenet_v3_large, resnet18, resnet34 and resnet50 are'
        )
    model = torchvision.models.get_model(backbone, weights=None)
    if weights is None:
        return model
    if weights == 'imagenet':
        try:
            best = torchvision.models.get_model_weights(backbone).DEFAULT  # type: ignore[attr-defined]
            model.load_state_dict(best.get_state_dict(check_hash=True, weights_only=True))
            return model
        except (URLError, OSError, RuntimeError) as error:
            raise CrodinoError(
                f'the ImageNet weights of {backbone} cannot be downloaded: {error}; give the '
                'path of a state dict instead'
            ) from error
    path = Path(weights)
    if not path.is_file():
        raise CrodinoError(
            f'the initial weights {path} do not exist; give a state dict of torchvision '
            f'{backbone}, or imagenet to download them, or none'
        )
    try:
        model.load_state_dict(read_tensors(path))
    except Exception as error:  # torch raises many kinds for what is no state dict
        reason = ' '.join(str(error).split())[:200] or type(error).__name__
        raise CrodinoError(
            f'{path} does not hold weights of torchvision {backbone}: {reason}; give a state '
            'dict of that model, or imagenet to download it'
        ) from error
    return model


def _stages(model: nn.Module) -> list[nn.Module]:
    """Split a classifier into the chain of stages before its pooling."""
    parts = dict(model.named_children())
    chain = next((names for names in CHAINS if set(names) <= set(parts)), None)
    if chain is None:
        raise UsageError(
            f'{type(model).__name__} is no chain of stages that is known here; '
            'try mobilenet_v2 or resnet50'
        )
    stages = [
        stage
        for name in chain
        for stage in (parts[name] if isinstance(parts[name], nn.Sequential) else [parts[name]])
    ]
    # The last 1x1 convolution of many (MobileNet, EfficientNet, ...) serves the classifier only.
    last = stages[-1]
    if isinstance(last, torchvision.ops.Conv2dNormActivation) and last[0].kernel_size == (1, 1):
        stages.pop()
    return stages


@torch.no_grad()
def _probe(stages: list[nn.Module]) -> tuple[list[int], list[int]]:
    """Strides and channels of the stages' outputs, found by running them once."""
    size = 64
    x = torch.zeros(1, 3, size, size)
    strides, channels = [], []
    for stage in stages:
        x = stage.eval()(x)
        strides.append(size // x.shape[-1])
        channels.append(x.shape[1])
        stage.train()
    return strides, channels


def _dilate(stage: nn.Module, factor: int) -> None:
    """Replace the strides of a stage by dilation, keeping its weights."""
    for module in stage.modules():
        if isinstance(module, nn.Conv2d):
            strided = module.stride != (1, 1)
            module.stride = (1, 1)
            kernel = module.kernel_size[0]
            if kernel % 2 == 0:
                module.padding = 'same'  # ConvNeXt's 2x2 patches now overlap
            # The convolution that lost its stride still sees undilated neighbours.
            elif kernel > 1 and not strided:
                module.dilation = (factor, factor)
                module.padding = (factor * (kernel // 2),) * 2
        elif isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
            module.kernel_size, module.stride, module.padding = 1, 1, 0


def _adapt_first_convolution(encoder: nn.Module, in_channels: int) -> None:
    """Give the first convolution other input channels, each starting as the mean filter."""
    for parent in encoder.modules():
        for name, child in parent.named_children():
            if isinstance(child, nn.Conv2d):
                first = nn.Conv2d(
                    in_channels,
                    child.out_channels,
                    child.kernel_size,  # type: ignore[arg-type]
                    child.stride,  # type: ignore[arg-type]
                    child.padding,  # type: ignore[arg-type]
                    bias=child.bias is not None,
                )
                mean = child.weight.data.mean(1, keepdim=True) * (3 / in_channels)
                first.weight.data.copy_(mean.expand_as(first.weight))
                if child.bias is not None and first.bias is not None:
                    first.bias.data.copy_(child.bias.data)
                setattr(parent, name, first)
                return
