"""What a run leaves on disk for the next step."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from torch import nn

from crodino_core.errors import CrodinoError
from crodino_core.labels import LabelSet
from crodino_core.learning.models.twin import Architecture, ModalityNetwork
from crodino_core.learning.tensor_file import read_tensors
from crodino_core.modality import Modality

LAST = 'last.pt'
LAST_KEYS = ('step', 'twin', 'average', 'optimiser', 'schedule', 'best', 'architecture', 'random')
BEST_KEYS = ('network', 'architecture', 'labels', 'facts')
WITHOUT_WEIGHTS = ('rgb_mean', 'rgb_std', 'depth_range', 'dropout')
"""What of an architecture may change while its weights stay of use."""
BOTH = 'both modalities'
"""What the checkpoint of a network says that sees both sensors at once."""


def best_name(part: Modality | str) -> str:
    """File name of a best network; of the twin two files, one a modality (SIBLING)."""
    return f'best_{part}.pt'


def save(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint in one step: a kill or a full disk leaves the earlier one whole.

    :raises CrodinoError: it cannot be written.
    """
    temporary = path.with_suffix('.partial')
    try:
        torch.save(content, temporary)
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:  # torch's writer raises RuntimeError on a full disk
        temporary.unlink(missing_ok=True)
        reason = error.strerror if isinstance(error, OSError) else None
        raise CrodinoError(
            f'{path} cannot be written: {reason or "the disk is full or the file too large"}; '
            f'make room and {how_to_go_on(path.parent)}'
        ) from error


def how_to_go_on(run: Path) -> str:
    """Say what is left of a run that has stopped, and what to do with it."""
    if (run / LAST).exists():
        return f'resume the run: {LAST} of its earlier steps is whole'
    return f'start the run again: nothing of it was kept, and {run} can be removed'


def load(path: Path, keys: Collection[str] = ()) -> dict[str, Any]:
    """Read a checkpoint.

    :param keys: what it must hold.
    :raises CrodinoError: the file is missing, damaged or of another kind.
    """
    if not path.is_file():
        raise CrodinoError(
            f'{path} does not exist; a finished run has {LAST} and, for each modality, '
            f'{best_name(Modality.RGB)} and {best_name(Modality.DEPTH)}: run crodino train first'
        )
    try:
        content = read_tensors(path)
    except ValueError as error:
        raise CrodinoError(
            f'{path} cannot be read: {error}; train again or take a copy'
        ) from error
    if not isinstance(content, dict):
        raise CrodinoError(
            f'{path} holds a {type(content).__name__}; a checkpoint that crodino train wrote was '
            'expected: train again or take a copy'
        )
    missing = [key for key in keys if key not in content]
    if missing:
        raise CrodinoError(
            f'{path} is a checkpoint of another kind: it has no {", ".join(missing)}; take the '
            'file of that name from a run'
        )
    return content


def check_architecture(content: dict[str, Any], expected: Architecture, path: Path) -> None:
    """Compare what a checkpoint says of its networks with what they shall be.

    :raises CrodinoError: a backbone, a number of classes, a split or a width differs.
    """
    found = content.get('architecture', {})
    for key, wanted in dataclasses.asdict(expected).items():
        if key not in WITHOUT_WEIGHTS and found.get(key, wanted) != wanted:
            raise CrodinoError(
                f'{path} is of another architecture: {key} is {found[key]}, and {wanted} was '
                'expected; use the configuration and the classes it was trained with'
            )


def check_labels(found: LabelSet, expected: LabelSet, path: Path) -> None:
    """Compare the classes of a checkpoint with those it shall be used for; colours may differ.

    :raises CrodinoError: a name or their order differs.
    """
    if found.names != expected.names:
        raise CrodinoError(
            f'{path} knows {", ".join(found.names)}, and {", ".join(expected.names)} were '
            'expected: take a run on the same classes in the same order'
        )


def load_weights(network: nn.Module, weights: dict[str, Any], path: Path) -> None:
    """Give a network the weights of a checkpoint.

    :raises CrodinoError: they are of another architecture.
    """
    try:
        network.load_state_dict(weights)
    except (RuntimeError, TypeError, AttributeError) as error:
        first = (str(error).partition('\n')[2] or str(error)).strip().partition('\n')[0]
        raise CrodinoError(
            f'{path} holds another architecture (backbone, classes or split): {first}; '
            'use the configuration it was trained with'
        ) from error


def save_best(
    path: Path,
    network: nn.Module,
    architecture: Architecture,
    labels: LabelSet,
    facts: dict[str, Any],
) -> None:
    """Write a best network with all that export needs."""
    save(
        path,
        {
            'network': network.state_dict(),
            'modality': str(network.modality) if isinstance(network, ModalityNetwork) else BOTH,
            'architecture': dataclasses.asdict(architecture),
            'labels': labels.to_list(),
            'facts': facts,
        },
    )


def read_best(path: Path, modality: Modality | None) -> dict[str, Any]:
    """Read the content of a best network's file.

    :param modality: what the network shall see; None: both sensors at once.
    :raises CrodinoError: the file is missing or damaged, or its network is another one.
    """
    content = load(path, BEST_KEYS)
    expected = BOTH if modality is None else str(modality)
    found = content.get('modality', expected)  # earlier versions did not say
    if found != expected:
        raise CrodinoError(
            f'{path} holds the network of {found}, and that of {expected} was expected; take the '
            'file of that name from a finished run'
        )
    return content


def load_best(run: Path, modality: Modality) -> tuple[ModalityNetwork, LabelSet, dict[str, Any]]:
    """Read a modality's best network from a run folder, in evaluation mode.

    :raises CrodinoError: the file is missing, damaged or no network of this modality.
    """
    path = run / best_name(modality)
    content = read_best(path, modality)
    try:
        network = ModalityNetwork(modality, Architecture(**content['architecture']))
        load_weights(network, content['network'], path)
    except TypeError as error:
        raise CrodinoError(
            f'{path} is no best network of a run: {error}; train again or take a copy'
        ) from error
    return network.eval(), LabelSet.from_list(content['labels']), content['facts']
