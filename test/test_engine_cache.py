"""Built engines on disk: which one fits, why none does, and what survives a crash."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from crodino_core.errors import CrodinoError
from crodino_core.runtime.engines.engine_cache import (
    CachedEngine,
    EngineCache,
    StaleEngineError,
    default_folder,
)
from crodino_core.runtime.engines.engine_key import EngineKey

KEY = EngineKey(
    onnx_sha256='ab' * 32,
    tensorrt='10.3.0',
    gpu='Orin',
    compute_capability=(8, 7),
    precision='fp16',
    height=480,
    width=640,
    workspace_mib=1024,
    outputs=('mask', 'confidence'),
)


def silent(line: str) -> None:
    """Hear nothing."""


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    return EngineCache(tmp_path / 'engines', silent)


def test_an_engine_is_found_by_its_key_with_its_facts(cache):
    cache.store('rgb', KEY, b'engine', {'build_s': 61.5})
    found = cache.find('rgb', KEY)
    assert isinstance(found, CachedEngine)
    assert found.read() == b'engine' and found.facts['build_s'] == 61.5 and found.key == KEY
    assert [entry.path for entry in cache.entries()] == [found.path]


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        ({'onnx_sha256': 'cd' * 32}, 'onnx sha256 was abababababab... and is cdcdcdcdcdcd...'),
        ({'tensorrt': '10.7.0'}, 'tensorrt was 10.3.0 and is 10.7.0'),
        ({'gpu': 'Xavier'}, 'gpu was Orin and is Xavier'),
        ({'compute_capability': (7, 2)}, 'compute capability was 8.7 and is 7.2'),
        ({'precision': 'int8'}, 'precision was fp16 and is int8'),
        ({'height': 720}, 'height was 480 and is 720'),
        ({'width': 1280}, 'width was 640 and is 1280'),
        ({'workspace_mib': 256}, 'workspace mib was 1024 and is 256'),
        ({'outputs': ('mask', 'confidence', 'logits')}, 'outputs was mask.confidence and is'),
        ({'exact': True}, 'exact was False and is True'),
        ({'dla_core': 0}, 'dla core was None and is 0'),
        ({'version_compatible': True}, 'version compatible was False and is True'),
        ({'hardware_compatible': True}, 'hardware compatible was False and is True'),
    ],
)
def test_whatever_differs_keeps_an_engine_from_being_used_and_is_named(cache, change, reason):
    cache.store('rgb', KEY, b'engine', {})
    found = cache.find('rgb', replace(KEY, **change))
    assert isinstance(found, str) and found.startswith(reason)


def test_the_reason_comes_from_the_most_similar_engine_of_the_same_network(cache):
    assert cache.find('rgb', KEY) == 'none was built yet'
    cache.store('depth', KEY, b'engine', {})
    assert cache.find('rgb', KEY) == 'none was built yet'
    cache.store('rgb', replace(KEY, gpu='Xavier', tensorrt='8.6.2'), b'engine', {})
    cache.store('rgb', replace(KEY, tensorrt='8.6.2'), b'engine', {})
    assert cache.find('rgb', KEY) == 'tensorrt was 8.6.2 and is 10.3.0'


def test_an_engine_that_was_renamed_is_checked_all_the_same(cache):
    other = cache.store('rgb', replace(KEY, gpu='Xavier'), b'engine', {}).path
    path = cache.folder / KEY.file_name('rgb')
    other.rename(path)
    other.with_name(f'{other.name}.json').rename(path.with_name(f'{path.name}.json'))
    assert cache.find('rgb', KEY) == 'gpu was Xavier and is Orin'


def test_a_version_compatible_engine_serves_later_versions_of_the_same_major(cache):
    key = replace(KEY, version_compatible=True)
    cache.store('rgb', key, b'engine', {})
    assert isinstance(cache.find('rgb', replace(key, tensorrt='10.7.0')), CachedEngine)
    for version in ('10.1.0', '11.0.0'):
        assert cache.find('rgb', replace(key, tensorrt=version)) == (
            f'tensorrt was 10.3.0 and is {version}'
        )


def test_a_hardware_compatible_engine_serves_every_gpu_since_ampere(cache):
    key = replace(KEY, hardware_compatible=True)
    cache.store('rgb', key, b'engine', {})
    newer = replace(key, gpu='RTX 4090', compute_capability=(8, 9))
    assert isinstance(cache.find('rgb', newer), CachedEngine)
    turing = replace(key, gpu='T4', compute_capability=(7, 5))
    assert 'gpu was Orin and is T4' in cache.find('rgb', turing)


def test_the_key_survives_its_sidecar():
    assert EngineKey.from_json(KEY.to_json()) == KEY


def test_a_changed_byte_is_noticed(cache):
    entry = cache.store('rgb', KEY, b'engine', {})
    entry.path.write_bytes(b'engi3e')
    with pytest.raises(StaleEngineError, match='damaged: its sha256'):
        entry.read()


@pytest.mark.parametrize('content', ['', '{', '[]', '{"key": {}}', '{"key": 3, "sha256": ""}'])
def test_a_damaged_sidecar_is_a_reason_and_no_traceback(cache, content):
    entry = cache.store('rgb', KEY, b'engine', {})
    entry.path.with_name(f'{entry.path.name}.json').write_text(content)
    assert cache.find('rgb', KEY) == f'{entry.path.name}.json is damaged'
    assert cache.entries() == []


def test_a_write_that_fails_leaves_nothing_and_says_what_to_do(cache, monkeypatch):
    def full(source: str, target: Path) -> None:
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'replace', full)
    with pytest.raises(CrodinoError, match=r'No space left on device.*engine_cache'):
        cache.store('rgb', KEY, b'engine', {})
    assert list(cache.folder.iterdir()) == []


def test_a_folder_that_cannot_be_written_gives_way_to_a_temporary_one(tmp_path, monkeypatch):
    (tmp_path / 'file').write_text('')
    monkeypatch.setattr('tempfile.gettempdir', lambda: str(tmp_path / 'temporary'))
    said: list[str] = []
    cache = EngineCache(tmp_path / 'file' / 'engines', said.append)
    assert cache.folder == tmp_path / 'temporary' / f'crodino-{os.getuid()}'
    assert cache.folder.stat().st_mode & 0o777 == 0o700
    assert 'cannot be written (Not a directory)' in said[0] and str(cache.folder) in said[0]
    cache.store('rgb', KEY, b'engine', {})


def test_without_any_folder_the_reason_is_given(tmp_path, monkeypatch):
    (tmp_path / 'file').write_text('')
    monkeypatch.setattr('tempfile.gettempdir', lambda: str(tmp_path / 'file'))
    with pytest.raises(CrodinoError, match=r'no engine cache: .*Not a directory'):
        EngineCache(tmp_path / 'file' / 'engines', silent)


def test_a_temporary_folder_of_another_user_is_not_trusted(tmp_path, monkeypatch):
    (tmp_path / 'file').write_text('')
    monkeypatch.setattr('tempfile.gettempdir', lambda: str(tmp_path))
    mine = os.getuid()
    (tmp_path / f'crodino-{mine + 1}').mkdir()
    monkeypatch.setattr('os.getuid', lambda: mine + 1)
    with pytest.raises(CrodinoError, match='belongs to another user'):
        EngineCache(tmp_path / 'file' / 'engines', silent)


def test_the_folder_follows_the_xdg_specification(monkeypatch, tmp_path):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    assert default_folder() == tmp_path / 'crodino' / 'engines'
    monkeypatch.setenv('XDG_CACHE_HOME', 'relative')  # to be ignored, says the specification
    monkeypatch.setenv('HOME', str(tmp_path / 'home'))
    assert default_folder() == tmp_path / 'home' / '.cache' / 'crodino' / 'engines'


def test_who_comes_second_waits_and_says_so(tmp_path):
    waiting, entered = threading.Event(), threading.Event()
    first = EngineCache(tmp_path, silent)
    second = EngineCache(tmp_path, lambda line: waiting.set())

    def build() -> None:
        with second.lock('rgb.engine'):
            entered.set()

    thread = threading.Thread(target=build)
    with first.lock('rgb.engine'):
        thread.start()
        assert waiting.wait(10)
        assert not entered.is_set()
    thread.join(10)
    assert entered.is_set()


def test_the_lock_of_a_process_that_died_is_free(tmp_path):
    code = (
        'import sys; from pathlib import Path; '
        'from crodino_core.runtime.engines.engine_cache import EngineCache\n'
        f'with EngineCache(Path({str(tmp_path)!r}), print).lock("rgb.engine"):\n'
        '    print("held", flush=True); sys.stdin.read()'
    )
    root = Path(__file__).parents[1]
    with subprocess.Popen(
        [sys.executable, '-c', code],
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == 'held\n'
        process.kill()
    said: list[str] = []
    with EngineCache(tmp_path, said.append).lock('rgb.engine'):
        assert said == []
