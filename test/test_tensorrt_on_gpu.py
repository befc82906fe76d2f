"""The real calls into TensorRT and CUDA; what decides is tested without them elsewhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from crodino_core.errors import CrodinoError
from crodino_core.modality import Modality
from crodino_core.resources import share_directory
from crodino_core.runtime.engines import parity

try:
    from crodino_core.runtime.engines.tensorrt_engine import TensorRtEngine
    from crodino_core.runtime.engines.tensorrt_settings import TensorRtSettings
    from crodino_core.runtime.engines.tensorrt_supply import Libraries

    Libraries.load()
    WHY_NOT = ''
except (ImportError, CrodinoError) as error:
    WHY_NOT = str(error)

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(bool(WHY_NOT), reason=f'no GPU: {WHY_NOT}')]

SIZE = (480, 640)
NETWORKS = share_directory() / 'models' / 'indoor'


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp('engines')


def engine(
    folder: Path, modality: Modality, said: list[str], **settings: object
) -> TensorRtEngine:
    made = TensorRtEngine(
        NETWORKS / f'{modality}.onnx',
        settings=TensorRtSettings(cache=folder, say=said.append, **settings),
    )
    made.prepare(SIZE)
    return made


@pytest.mark.parametrize('modality', list(Modality))
def test_the_shipped_network_is_built_checked_and_loaded_again(folder, modality):
    said: list[str] = []
    engine(folder, modality, said)
    assert 'its masks agree' in said[-1]
    said.clear()
    again = engine(folder, modality, said)
    assert said == []
    for image in parity.sample_images(modality, SIZE):
        reference = parity.cpu_reference(NETWORKS / f'{modality}.onnx')
        assert parity.agreement([image], lambda i: again.infer(i).mask, reference) > 0.995


@pytest.mark.parametrize('modality', list(Modality))
def test_the_masks_are_the_same_with_and_without_cuda_graph(folder, modality):
    masks = []
    for cuda_graph in (True, False):
        made = engine(folder, modality, [], cuda_graph=cuda_graph)
        assert ('no CUDA graph' in made.device) is not cuda_graph
        masks.append([made.infer(image).mask for image in parity.sample_images(modality, SIZE)])
    np.testing.assert_array_equal(*masks)


def test_a_corrupt_engine_is_built_anew(folder):
    engine(folder, Modality.RGB, [])
    (path,) = folder.glob('rgb-*.engine')
    path.write_bytes(path.read_bytes()[:-100])
    said: list[str] = []
    engine(folder, Modality.RGB, said)
    assert 'damaged' in said[0]


def test_two_processes_that_start_at_once_build_once(tmp_path):
    code = (
        'import sys; from pathlib import Path\n'
        'from crodino_core.runtime.engines.tensorrt_engine import TensorRtEngine\n'
        'from crodino_core.runtime.engines.tensorrt_settings import TensorRtSettings\n'
        'settings = TensorRtSettings(cache=Path(sys.argv[2]))\n'
        'TensorRtEngine(Path(sys.argv[1]), settings=settings).prepare((480, 640))\n'
    )
    command = [sys.executable, '-c', code, str(NETWORKS / 'rgb.onnx'), str(tmp_path)]
    root = Path(__file__).parents[1]
    both = [
        subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = ''.join(process.communicate()[1] for process in both)
    assert [process.returncode for process in both] == [0, 0], said
    assert said.count('this takes minutes') == 1
