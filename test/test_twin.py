"""Behaviour of the networks: strides, splits, sizes, inputs."""

from __future__ import annotations

from pathlib import Path
from urllib.error import URLError

import pytest
import torch
import torchvision
from torch import nn

from crodino_core.errors import CrodinoError, UsageError
from crodino_core.learning.models.deeplabv3plus import DeepLabV3PlusDecoder
from crodino_core.learning.models.depthwise import WideDepthwiseConv2d, widen_depthwise
from crodino_core.learning.models.encoder import Encoder
from crodino_core.learning.models.inputs import DepthInput
from crodino_core.learning.models.twin import Architecture, ModalityNetwork, Split, TwinNetwork
from crodino_core.modality import Modality

SMALL = 'mobilenet_v3_small'
BACKBONES = (
    'mobilenet_v2', 'mobilenet_v3_large', 'resnet18', 'resnet50', 'regnet_y_400mf',
    'efficientnet_b0', 'shufflenet_v2_x0_5', 'mnasnet0_5', 'densenet121', 'convnext_tiny',
)  # fmt: skip

NAMED_BACKBONES = (
    'resnet18', 'resnet34', 'resnet50', 'mobilenet_v2', 'mobilenet_v3_large',
)  # fmt: skip
"""Those the documentation names."""


@pytest.fixture(scope='module')
def twin() -> TwinNetwork:
    torch.manual_seed(0)
    architecture = Architecture(4, SMALL, split_channels=16, decoder_channels=16)
    return TwinNetwork(architecture).eval()


@pytest.mark.filterwarnings('ignore:Using padding')
@pytest.mark.parametrize('backbone', BACKBONES)
@torch.no_grad()
def test_every_kind_of_backbone_is_brought_to_stride_16(backbone: str) -> None:
    encoder = Encoder(backbone).eval()

    features, skip = encoder(torch.zeros(1, 3, 64, 96))

    assert features.shape == (1, encoder.channels, 4, 6)
    assert skip.shape == (1, encoder.skip_channels, 16, 24)


@pytest.mark.parametrize('backbone', NAMED_BACKBONES)
def test_the_named_backbones_learn_at_stride_16(backbone: str) -> None:
    architecture = Architecture(4, backbone, split_channels=16, decoder_channels=16)
    network = ModalityNetwork(Modality.RGB, architecture).train()

    features = network.encode(torch.rand(2, 3, 64, 64))
    network.decode(features.invariant, features.specific, features.skip).sum().backward()

    assert features.invariant.shape == features.specific.shape == (2, 16, 4, 4)
    assert features.skip.shape[-2:] == (16, 16)
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize('separable', [True, False])
@pytest.mark.parametrize('again', [slice(None), slice(0, None, 2), slice(1, None, 2), slice(3, 3)])
def test_variants_are_decoded_as_if_each_had_a_batch_row_of_its_own(
    separable: bool, again: slice
) -> None:
    torch.manual_seed(0)
    decoder = DeepLabV3PlusDecoder(12, 6, 4, 8, separable)  # in training, with its dropout
    decoder.skip.eval()  # its batch norm sees an image once, however many variants it has
    common, skip = torch.rand(3, 4, 3, 4), torch.rand(3, 6, 12, 16)
    variants = torch.rand(3 + len(common[again]), 8, 3, 4)
    states = []
    for decode in (
        lambda: decoder.decode_variants(variants, common, skip, again),
        lambda: decoder(
            torch.cat([variants, torch.cat([common, common[again]])], 1),
            torch.cat([skip, skip[again]]),
        ),
    ):
        torch.manual_seed(1)
        decoder.zero_grad()
        logits = decode()
        logits.square().sum().backward()
        states.append([logits.detach(), *(p.grad for p in decoder.parameters())])

    for one, other in zip(*states, strict=True):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-4)


def test_dilation_keeps_the_weights_of_the_backbone() -> None:
    encoder = Encoder('resnet18')
    plain = torchvision.models.resnet18()

    assert sum(p.numel() for p in encoder.parameters()) == sum(
        p.numel() for name, p in plain.named_parameters() if not name.startswith('fc.')
    )


def test_a_dilated_stage_sees_as_far_as_the_strided_one() -> None:
    last = Encoder('resnet18').stages[-1]

    dilations = [m.dilation for m in last.modules() if isinstance(m, nn.Conv2d)]

    assert set(dilations) == {(2, 2)}


@pytest.mark.parametrize('backbone', ['vit_b_16', 'swin_t', 'squeezenet1_1'])
def test_a_backbone_without_a_chain_of_strides_is_refused(backbone: str) -> None:
    with pytest.raises(UsageError, match='try mobilenet_v2'):
        Encoder(backbone)


def test_an_unknown_backbone_is_refused_with_known_ones() -> None:
    with pytest.raises(UsageError, match='mobilenet_v3_large, resnet18'):
        Encoder('mobilnet_v2')


def test_initial_weights_from_a_local_file_are_used(tmp_path: Path) -> None:
    torch.manual_seed(1)
    model = torchvision.models.mobilenet_v3_small()
    torch.save(model.state_dict(), tmp_path / 'weights.pth')

    encoder = Encoder(SMALL, weights=str(tmp_path / 'weights.pth'))

    assert torch.equal(encoder.stages[0][0].weight, model.features[0][0].weight)


def test_imagenet_weights_come_from_torchvision_without_unpickling_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = torchvision.models.mobilenet_v3_small()
    asked: dict[str, bool] = {}

    def download(weights: object, **options: bool) -> dict[str, torch.Tensor]:
        asked.update(options)
        return model.state_dict()

    monkeypatch.setattr(torchvision.models.WeightsEnum, 'get_state_dict', download)
    encoder = Encoder(SMALL, weights='imagenet')

    assert torch.equal(encoder.stages[0][0].weight, model.features[0][0].weight)
    assert asked == {'check_hash': True, 'weights_only': True}


def test_imagenet_weights_that_cannot_be_had_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(weights: object, **options: bool) -> None:
        raise URLError('no network')

    monkeypatch.setattr(torchvision.models.WeightsEnum, 'get_state_dict', offline)
    with pytest.raises(CrodinoError, match=r'cannot be downloaded: .*no network.*state dict'):
        Encoder(SMALL, weights='imagenet')


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / 'weights.pth'
    torch.save({'conv.weight': torch.zeros(1)}, path)
    with pytest.raises(CrodinoError, match='does not hold weights of torchvision mobilenet'):
        Encoder(SMALL, weights=str(path))


@pytest.mark.parametrize('content', [b'', b'not a checkpoint', b'hello', b'random text'])
def test_a_weight_file_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / 'weights.pth'
    path.write_bytes(content)
    with pytest.raises(CrodinoError, match='does not hold weights'):
        Encoder(SMALL, weights=str(path))


def test_missing_initial_weights_are_named() -> None:
    with pytest.raises(CrodinoError, match=r'nowhere\.pth do not exist'):
        Encoder(SMALL, weights='nowhere.pth')


def test_other_input_channels_start_as_the_mean_filter() -> None:
    encoder = Encoder(SMALL, in_channels=2)
    weight = encoder.stages[0][0].weight

    assert weight.shape[1] == 2
    assert torch.equal(weight[:, 0], weight[:, 1])


@pytest.mark.parametrize('size', [(64, 96), (49, 75), (33, 130)])
@pytest.mark.parametrize('modality', Modality)
@torch.no_grad()
def test_any_size_gives_logits_of_stride_4(
    twin: TwinNetwork, modality: Modality, size: tuple[int, int]
) -> None:
    channels = 3 if modality is Modality.RGB else 1
    height, width = size

    logits = twin.network(modality)(torch.rand(2, channels, height, width))

    assert logits.shape == (2, 4, -(-height // 4), -(-width // 4))


def test_the_twin_trains_on_a_batch_of_one() -> None:
    twin = TwinNetwork(Architecture(4, SMALL, split_channels=16, decoder_channels=16)).train()

    twin.network(Modality.DEPTH)(torch.rand(1, 1, 48, 64)).sum().backward()


def test_a_projection_has_the_wanted_channels() -> None:
    invariant, specific = Split('projection', 10, 6)(torch.rand(2, 10, 3, 4))

    assert invariant.shape == specific.shape == (2, 6, 3, 4)


def test_halves_are_the_two_halves_of_the_channels() -> None:
    z = torch.rand(2, 10, 3, 4)

    invariant, specific = Split('halves', 10, 99)(z)

    assert torch.equal(torch.cat([invariant, specific], 1), z)


def test_an_odd_number_of_channels_has_no_halves() -> None:
    with pytest.raises(UsageError, match='7 channels'):
        Split('halves', 7, 0)


def test_a_network_with_halves_decodes_all_channels_of_the_encoder() -> None:
    network = ModalityNetwork(Modality.RGB, Architecture(4, SMALL, split='halves'))

    assert 2 * network.split.channels == network.encoder.channels


@torch.no_grad()
def test_the_auxiliary_decoder_reads_one_half_of_either_modality(twin: TwinNetwork) -> None:
    for modality, channels in ((Modality.RGB, 3), (Modality.DEPTH, 1)):
        features = twin.network(modality).encode(torch.rand(2, channels, 64, 96))
        for half in (features.invariant, features.specific):
            assert twin.auxiliary(half).shape == (2, 4, 4, 6)


def test_depth_that_is_no_measurement_is_all_zero_at_the_encoder() -> None:
    values = [0.0, -1.0, float('nan'), float('inf'), float('-inf'), 0.05, 10.5]

    features = DepthInput((0.1, 10.0))(torch.tensor(values).view(1, 1, 1, -1))

    assert torch.equal(features, torch.zeros(1, 3, 1, len(values)))


def test_valid_depth_is_finite_and_marked_valid() -> None:
    features = DepthInput((0.1, 10.0))(torch.tensor([0.1, 1.0, 10.0]).view(1, 1, 1, 3))

    assert features.isfinite().all()
    assert (features[:, 2] == 1).all()


def test_under_autocast_metres_are_rounded_as_an_engine_of_that_precision_does() -> None:
    depth, read = torch.tensor([0.5013, 2.007, 7.77]).view(1, 1, 1, 3), DepthInput((0.1, 10.0))

    with torch.autocast('cpu', torch.bfloat16):
        rounded = read(depth)

    assert rounded.dtype == torch.float32
    assert torch.equal(rounded, read(depth.bfloat16().float()))
    assert (rounded[:, 0] != read(depth)[:, 0]).all()


def test_inverse_depth_is_linear_across_a_plane() -> None:
    columns = torch.linspace(-1, 1, 9)
    plane = 2.0 / (1 + 0.3 * columns)

    inverse = DepthInput((0.1, 10.0))(plane.view(1, 1, 1, -1))[0, 0, 0]

    assert torch.allclose(inverse.diff(), inverse.diff()[:1].expand(8), atol=1e-6)


def test_only_strided_and_dilated_depthwise_convolutions_are_widened() -> None:
    layers = nn.Sequential(
        nn.Conv2d(8, 8, 3, stride=2, groups=8),
        nn.Conv2d(8, 8, 3, dilation=2, groups=8),
        nn.Conv2d(8, 8, 3, groups=8),
        nn.Conv2d(8, 8, 3, stride=2),
        nn.Conv2d(1, 8, 3, stride=2),
    )

    widen_depthwise(layers)

    assert [type(layer) is WideDepthwiseConv2d for layer in layers] == [True, True] + 3 * [False]


def test_a_widened_convolution_is_float32_under_autocast_and_the_same_without() -> None:
    plain = nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8)
    layer = nn.Sequential(nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8))
    widen_depthwise(layer)
    layer[0].load_state_dict(plain.state_dict())
    image = torch.randn(2, 8, 10, 12)

    with torch.autocast('cpu', torch.bfloat16):
        mixed = layer(image.bfloat16())

    assert mixed.dtype == torch.float32
    assert torch.equal(mixed, plain(image.bfloat16().float()))
    assert torch.equal(layer(image), plain(image))


def test_the_strided_depthwise_layers_of_mobilenet_v2_are_widened() -> None:
    widened = [m for m in Encoder('mobilenet_v2').modules() if isinstance(m, WideDepthwiseConv2d)]

    # Three strides from 2 to 16, and the two blocks that are dilated for the last one.
    assert [(each.stride[0], each.dilation[0]) for each in widened] == [
        (2, 1), (2, 1), (2, 1), (1, 2), (1, 2), (1, 2)
    ]  # fmt: skip
