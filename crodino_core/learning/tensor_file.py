"""Files of tensors, read without running code."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import torch


def read_tensors(path: Path) -> Any:
    """Read what `torch.save` wrote: tensors, numbers, words, and lists and mappings of them.

    :raises ValueError: the file is damaged, or holds other objects; the message says which.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of other pickle protocols, which are refused anyway
            return torch.load(path, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            'it is damaged, or holds pickled objects beside tensors, which are not read because '
            'they could run any code'
        ) from error
    except Exception as error:  # torch raises many kinds for a damaged file
        raise ValueError('it is damaged, or was not written by torch.save') from error
