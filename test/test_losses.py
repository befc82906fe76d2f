"""Each loss against a computation by hand, and where it must be silent."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from crodino_core.learning import losses, processes
from crodino_core.learning.config import LossConfig
from crodino_core.learning.models.twin import Architecture, TwinNetwork
from crodino_core.learning.objective import twin_losses
from crodino_core.modality import Modality

VOID = 255


def info_nce(similarity: list[list[float]]) -> float:
    """Mean of -log softmax on the diagonal, over the rows and over the columns."""

    def one_way(rows: list[list[float]]) -> float:
        terms = [
            math.log(sum(math.exp(value) for value in row)) - row[i] for i, row in enumerate(rows)
        ]
        return sum(terms) / len(terms)

    return (one_way(similarity) + one_way([list(c) for c in zip(*similarity, strict=True)])) / 2


def image_of(*pixels: tuple[float, float]) -> torch.Tensor:
    """Features 1 x 2 x 1 x n, one pair of channels for each pixel."""
    return torch.tensor(pixels).T.reshape(1, 2, 1, -1)


def test_cross_entropy_is_the_mean_over_labelled_pixels() -> None:
    logits = torch.tensor([[2.0, 0.0, 5.0], [0.0, 1.0, 5.0]]).view(1, 2, 1, 3)
    label = torch.tensor([[[0, 0, VOID]]])

    expected = (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(1))) / 2

    assert losses.segmentation_loss(logits, label).item() == pytest.approx(expected, rel=1e-5)


def test_logits_are_enlarged_to_the_label() -> None:
    logits = torch.tensor([3.0, 0.0]).view(1, 2, 1, 1)
    label = torch.zeros(1, 4, 6, dtype=torch.long)

    expected = math.log(1 + math.exp(-3))

    assert losses.segmentation_loss(logits, label).item() == pytest.approx(expected, rel=1e-5)


def test_the_coarse_loss_reads_the_label_at_the_cells_centres() -> None:
    label = torch.arange(8).view(1, 1, 8).expand(1, 8, 8)

    assert losses.resize_label(label, (2, 2)).tolist() == [[[2, 6], [2, 6]]]


@pytest.mark.parametrize(('balance', 'share'), [(0.0, 0.25), (0.5, 1 / (1 + 3**0.5)), (1.0, 0.5)])
def test_a_balanced_class_counts_as_a_power_of_its_pixels(balance: float, share: float) -> None:
    logits = torch.zeros(1, 3, 2, 2)
    logits[0, 0, 0, 0] = -5.0  # wrong where class 0 is; elsewhere every class is as likely
    label = torch.tensor([[[0, 1], [1, 1]]])

    wrong = math.log(2 + math.exp(-5)) + 5
    expected = share * wrong + (1 - share) * math.log(3)

    found = losses.coarse_segmentation_loss(logits, label, balance)
    assert found.item() == pytest.approx(expected, rel=1e-5)


def balanced_loss(logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    return losses.coarse_segmentation_loss(logits, label, 0.75)


@pytest.mark.parametrize(
    'loss', [losses.segmentation_loss, losses.coarse_segmentation_loss, balanced_loss]
)
def test_an_unlabelled_batch_trains_nothing(loss: Callable[..., torch.Tensor]) -> None:
    logits = torch.rand(2, 3, 4, 4, requires_grad=True)

    value = loss(logits, torch.full((2, 16, 16), VOID))
    value.backward()

    assert value.item() == 0
    assert logits.grad is not None and not logits.grad.any()


def test_orthogonality_is_the_mean_absolute_cosine() -> None:
    invariant = image_of((1.0, 0.0), (2.0, 0.0), (0.0, 3.0))
    specific = image_of((0.0, 5.0), (-1.0, 0.0), (1.0, 1.0))

    expected = (0 + 1 + math.sqrt(0.5)) / 3

    assert losses.orthogonality_loss(invariant, specific).item() == pytest.approx(expected)


def test_mixing_takes_its_share_of_the_other_modality() -> None:
    own, other = torch.zeros(1, 2, 1, 1), torch.ones(1, 2, 1, 1)

    mixed = losses.mix_invariant(own, other, torch.ones(1, 1, 1, 1), 0.35)

    assert torch.allclose(mixed, torch.full_like(mixed, 0.35))


def test_mixing_is_the_identity_where_the_other_does_not_see() -> None:
    own, other = torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4)
    valid = torch.zeros(2, 1, 4, 4)
    valid[..., :2] = 1

    mixed = losses.mix_invariant(own, other, valid, 0.5)

    assert torch.equal(mixed[..., 2:], own[..., 2:])
    assert torch.allclose(mixed[..., :2], (own + other)[..., :2] / 2)


def test_prototypes_are_the_means_of_the_labelled_pixels_of_a_class() -> None:
    features = image_of((1.0, 0.0), (3.0, 2.0), (9.0, 9.0), (0.0, 4.0))

    prototypes, present = losses.class_prototypes(
        features, torch.tensor([[[0, 0, VOID, 2]]]), classes=3
    )

    assert prototypes.tolist() == [[[2.0, 1.0], [0.0, 0.0], [0.0, 4.0]]]
    assert present.tolist() == [[True, False, True]]


def test_prototype_contrast_is_info_nce_over_classes_seen_by_both() -> None:
    rgb = image_of((1.0, 0.0), (0.0, 2.0), (1.0, 1.0))
    depth = image_of((3.0, 3.0), (0.0, 1.0), (-1.0, 0.0))
    rgb_label, depth_label = torch.tensor([[[0, 1, 2]]]), torch.tensor([[[0, 1, VOID]]])

    value = losses.prototype_contrast(rgb, depth, rgb_label, depth_label, 3, temperature=0.5)

    root = math.sqrt(0.5)
    expected = info_nce([[root / 0.5, 0.0], [root / 0.5, 1 / 0.5]])
    assert value.item() == pytest.approx(expected, rel=1e-5)


def test_the_same_class_of_another_image_is_no_negative() -> None:
    rgb = torch.cat([image_of((1.0, 0.0), (0.0, 1.0)), image_of((0.6, 0.8), (0.0, 1.0))])
    depth = torch.cat([image_of((1.0, 0.2), (0.3, 1.0)), image_of((1.0, 0.0), (0.0, 1.0))])
    label = torch.tensor([[[0, 1]], [[0, VOID]]])

    value = losses.prototype_contrast(rgb, depth, label, label, 2, temperature=1.0)

    def cosine(i: int, j: int, pixel_i: int, pixel_j: int) -> float:
        return torch.cosine_similarity(rgb[i, :, 0, pixel_i], depth[j, :, 0, pixel_j], 0).item()

    # Prototypes in order: image 0 class 0, image 0 class 1, image 1 class 0.
    a, b, c = (0, 0), (0, 1), (1, 0)
    never = -1e9
    table = [
        [cosine(i, j, p, q) if (i, p) == (j, q) or p != q else never for j, q in (a, b, c)]
        for i, p in (a, b, c)
    ]
    assert value.item() == pytest.approx(info_nce(table), rel=1e-5)


def test_prototypes_need_no_alignment_of_the_two_views() -> None:
    features = torch.rand(2, 5, 4, 4)
    label = torch.randint(0, 3, (2, 4, 4))

    aligned = losses.prototype_contrast(features, features, label, label, 3)
    flipped = losses.prototype_contrast(features, features.flip(-1), label, label.flip(-1), 3)

    assert flipped.item() == pytest.approx(aligned.item(), rel=1e-4)


def test_contrast_is_silent_where_no_class_is_shared() -> None:
    rgb = torch.rand(2, 5, 4, 4, requires_grad=True)
    label = torch.zeros(2, 4, 4, dtype=torch.long)

    for other in (torch.full_like(label, VOID), torch.ones_like(label)):
        value = losses.prototype_contrast(rgb, torch.rand(2, 5, 4, 4), label, other, 3)
        value.backward()
        assert value.item() == 0
        assert rgb.grad is not None and not rgb.grad.any()


def test_global_contrast_pairs_the_averages_of_the_images() -> None:
    rgb = torch.cat([image_of((2.0, 0.0), (0.0, 0.0)), image_of((0.0, 1.0), (0.0, 1.0))])
    depth = torch.cat([image_of((1.0, 1.0), (1.0, 1.0)), image_of((0.0, 3.0), (0.0, 3.0))])

    value = losses.global_contrast(rgb, depth, temperature=1.0)

    root = math.sqrt(0.5)
    assert value.item() == pytest.approx(info_nce([[root, 0.0], [root, 1.0]]), rel=1e-5)


def test_contrast_keeps_its_precision_under_mixed_precision() -> None:
    torch.manual_seed(0)
    rgb, depth = torch.rand(2, 32, 12, 16), torch.rand(2, 32, 12, 16)
    label = torch.randint(0, 5, (2, 12, 16))
    plain = losses.prototype_contrast(rgb, depth, label, label, 5)

    with torch.autocast('cpu', torch.bfloat16):
        mixed = losses.prototype_contrast(rgb, depth, label, label, 5)

    assert mixed.item() == plain.item()


# --- the objective


ARCHITECTURE = Architecture(3, 'mobilenet_v3_small', split_channels=8, decoder_channels=8)


@pytest.fixture(scope='module')
def twin() -> TwinNetwork:
    torch.manual_seed(0)
    return TwinNetwork(ARCHITECTURE)


def make_batch(label_value: int | None = None, count: int = 2) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    batch = {}
    for m, channels in ((Modality.RGB, 3), (Modality.DEPTH, 1)):
        label = torch.randint(0, 3, (count, 32, 48), generator=generator)
        if label_value is not None:
            label = torch.full_like(label, label_value)
        batch[str(m)] = torch.rand(count, channels, 32, 48, generator=generator) + 0.5
        batch[f'{m}_label'] = label
        batch[f'{m}_affine'] = torch.eye(3).expand(count, 3, 3)
    return batch


def attentive_twin(batch: dict[str, torch.Tensor]) -> TwinNetwork:
    """A twin in evaluation whose batch norms know its features, so that they matter."""
    torch.manual_seed(0)
    twin = TwinNetwork(ARCHITECTURE).train()
    for module in twin.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    twin_losses(twin, batch, LossConfig())
    return twin.eval()


def test_the_objective_has_every_term_of_the_paper(twin: TwinNetwork) -> None:
    names = set(twin_losses(twin, make_batch(), LossConfig()))

    per_modality = ('segmentation', 'mixup', 'orthogonality', 'auxiliary')
    assert names == {f'{name}_{m}' for name in per_modality for m in Modality} | {'contrastive'}


def test_a_weight_of_zero_switches_a_term_off(twin: TwinNetwork) -> None:
    off = LossConfig(orthogonality=0, contrastive=0, auxiliary=0, mixup=0)

    assert set(twin_losses(twin, make_batch(), off)) == {'segmentation_rgb', 'segmentation_depth'}


def test_weights_scale_their_terms(twin: TwinNetwork) -> None:
    twin.eval()
    light = twin_losses(twin, make_batch(), LossConfig(orthogonality=0.1))
    heavy = twin_losses(twin, make_batch(), LossConfig(orthogonality=1.0))

    ratio = heavy['orthogonality_rgb'] / light['orthogonality_rgb']
    assert ratio.item() == pytest.approx(10, rel=1e-4)


def test_an_unlabelled_batch_leaves_only_orthogonality(twin: TwinNetwork) -> None:
    found = twin_losses(twin, make_batch(VOID), LossConfig())

    silent = {name for name, value in found.items() if value.item() == 0}
    assert silent == {name for name in found if not name.startswith('orthogonality')}


def test_each_mixed_pass_trains_the_other_modalitys_encoder(twin: TwinNetwork) -> None:
    twin.zero_grad()
    found = twin_losses(twin, make_batch(), LossConfig(contrastive=0))

    found['mixup_rgb'].backward()

    gradient = twin.network(Modality.DEPTH).encoder.stages[0][0].weight.grad
    assert gradient is not None and gradient.any()


def test_auxiliary_decoders_of_ones_own_join_nothing() -> None:
    twin = TwinNetwork(ARCHITECTURE, shared_auxiliary=False)

    twin_losses(twin, make_batch(), LossConfig())['auxiliary_depth'].backward()

    assert all(p.grad is None for p in twin.auxiliary.parameters())
    assert all(p.grad is not None for p in twin.auxiliary_of(Modality.DEPTH).parameters())


@pytest.mark.parametrize(('every', 'mixed'), [(1, [True, True]), (2, [True, False])])
def test_every_nth_image_is_mixed(twin: TwinNetwork, every: int, mixed: list[bool]) -> None:
    twin.eval()  # so that no batch norm joins the images
    batch = make_batch()
    batch['depth'].requires_grad_()

    twin_losses(twin, batch, LossConfig(mixup_every=every))['mixup_rgb'].backward()

    assert batch['depth'].grad is not None
    assert batch['depth'].grad.flatten(1).any(1).tolist() == mixed


@pytest.mark.parametrize(
    ('own', 'here', 'there'),
    [
        # Own modality, columns of cells in which the other view is seen, and where they lie there.
        (Modality.RGB, slice(0, 2), slice(1, 3)),
        (Modality.DEPTH, slice(1, 3), slice(0, 2)),
    ],
)
def test_what_is_mixed_lies_where_both_views_show_the_same(
    own: Modality, here: slice, there: slice
) -> None:
    batch, settings = make_batch(count=4), LossConfig(mixup_every=2)
    twin = attentive_twin(batch)
    a_cell_to_the_right = torch.tensor([[1.0, 0, 2 / 3], [0, 1, 0], [0, 0, 1]])
    batch['depth_affine'] = a_cell_to_the_right.expand(4, 3, 3)

    network = twin.network(own)
    z, other = (twin.network(m).encode(batch[str(m)]) for m in (own, own.other))
    mixed = z.invariant.clone()
    mixed[..., here] = (
        settings.mixing * other.invariant[..., there]
        + (1 - settings.mixing) * z.invariant[..., here]
    )
    logits = network.decode(mixed, z.specific, z.skip)[::2]
    expected = losses.coarse_segmentation_loss(logits, batch[f'{own}_label'][::2])

    found = twin_losses(twin, batch, settings)[f'mixup_{own}']
    assert mixed.shape[-1] == 3
    assert found.item() == pytest.approx(0.5 * expected.item(), rel=1e-4)


def test_a_process_none_of_whose_images_is_mixed_has_no_mixup_loss(
    twin: TwinNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin.train()
    monkeypatch.setattr(processes, 'rank', lambda: 1)  # images 2 and 3 of every fourth
    found = twin_losses(twin, make_batch(), LossConfig(mixup_every=4))
    sum(found.values(), torch.zeros(())).backward()

    assert found['mixup_rgb'].item() == 0
    assert found['segmentation_rgb'].item() > 0
