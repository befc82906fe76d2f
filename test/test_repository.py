"""The rules of the house: who may import whom, and that what ships is there."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

import crodino_core
from crodino_core.errors import CrodinoError
from crodino_core.resources import model_path, share_directory

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(
    path.relative_to(ROOT)
    for package in ('crodino_core', 'crodino_ros')
    for path in (ROOT / package).rglob('*.py')
)
TORCH_ENGINE = Path('crodino_core/runtime/engines/torch_engine.py')
TORCH = {'torch', 'torchvision', 'torchmetrics', 'onnx2torch'}
ROS = {'crodino_ros', 'rclpy', 'sensor_msgs', 'std_msgs', 'cv_bridge', 'rosbags', 'cyclonedds'}

MAY_IMPORT = {
    'ground': {'ground'},
    'runtime': {'ground', 'runtime'},
    'learning': {'ground', 'learning'},
    'evaluation': {'ground', 'runtime', 'evaluation'},
}


def imported_modules(source: Path) -> Iterator[str]:
    """Yield the full name of every module a file imports, wherever in it the import stands."""
    parts = source.with_suffix('').parts
    for node in ast.walk(ast.parse((ROOT / source).read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = '.'.join(parts[: len(parts) - node.level]) if node.level else ''
            module = '.'.join(filter(None, (package, node.module)))
            yield module
            yield from (f'{module}.{alias.name}' for alias in node.names)


def top_level_imports(source: Path) -> set[str]:
    """Return the first part of every module a file imports."""
    return {module.split('.')[0] for module in imported_modules(source)}


def room_of(module: str) -> str | None:
    """Return the room of a module of crodino_core, None for any other module."""
    parts = module.split('.')
    if parts[0] != 'crodino_core' or len(parts) < 2:
        return None
    return parts[1] if (ROOT / 'crodino_core' / parts[1]).is_dir() else 'ground'


def room_of_file(source: Path) -> str | None:
    """Return the room a file lies in, None outside crodino_core."""
    return room_of('.'.join(source.with_suffix('').parts))


def test_a_room_imports_only_from_the_rooms_it_may() -> None:
    for source in SOURCES:
        room = room_of_file(source)
        if room is not None:
            rooms = {room_of(module) for module in imported_modules(source)} - {None}
            assert rooms <= MAY_IMPORT[room], f'{source} imports from {sorted(map(str, rooms))}'


def test_the_core_knows_neither_ros_nor_its_messages() -> None:
    for source in SOURCES:
        if source.parts[0] == 'crodino_core':
            assert not top_level_imports(source) & ROS, source


def test_torch_stays_in_learning_and_in_its_engine() -> None:
    for source in SOURCES:
        if room_of_file(source) != 'learning' and source != TORCH_ENGINE:
            assert not top_level_imports(source) & TORCH, source


def test_every_folder_with_code_is_a_package() -> None:
    for source in SOURCES:
        assert (ROOT / source).with_name('__init__.py').is_file(), f'{source.parent} is not one'


def test_the_command_line_starts_without_torch() -> None:
    code = 'import sys, crodino_ros.cli; sys.exit("torch" in sys.modules)'
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr or 'torch was imported'


def test_package_xml_and_setup_py_agree() -> None:
    manifest = ElementTree.parse(ROOT / 'package.xml').getroot()
    done = subprocess.run(
        [sys.executable, 'setup.py', '--name', '--version', '--license'],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found = done.stdout.split()[-3:]
    assert found == [manifest.findtext(tag) for tag in ('name', 'version', 'license')]
    assert manifest.findtext('version') == crodino_core.__version__


def test_every_data_file_is_there_and_every_shipped_file_is_a_data_file() -> None:
    code = (
        'import setuptools; setuptools.setup = lambda **given: '
        'print(*(f for _, files in given["data_files"] for f in files), sep="\\n"); '
        'import runpy; runpy.run_path("setup.py")'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    listed = set(done.stdout.splitlines())
    assert all((ROOT / name).is_file() for name in listed)
    wanted = {'package.xml', 'resource/crodino_ros'}
    for folder in ('config', 'launch', 'models'):
        wanted |= {
            path.relative_to(ROOT).as_posix()
            for path in (ROOT / folder).rglob('*')
            if path.is_file() and path.suffix != '.pyc'
        }
    assert wanted <= listed


def test_the_changelog_speaks_of_this_version_or_the_next() -> None:
    text = (ROOT / 'CHANGELOG.rst').read_text(encoding='utf-8')
    assert re.search(rf'^(Forthcoming|{re.escape(crodino_core.__version__)}\b.*)$', text, re.M)


def test_the_readme_opens_with_the_two_commands() -> None:
    opening = (ROOT / 'README.md').read_text(encoding='utf-8')[:600]
    assert opening.index('make demo') < opening.index('make test')


def test_the_python_example_of_the_readme_runs() -> None:
    example = (ROOT / 'README.md').read_text(encoding='utf-8').split('```python\n')[1]
    code = example.split('```')[0]

    done = subprocess.run(
        [sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.startswith('rgb (240, 320) ')


def test_shared_files_of_a_checkout_are_beside_the_code() -> None:
    assert share_directory() == ROOT


@pytest.mark.parametrize('code', ['lib/python3.12/site-packages', 'lib/python3/dist-packages'])
def test_shared_files_of_an_installation_are_below_its_prefix(tmp_path: Path, code: str) -> None:
    package = tmp_path / 'prefix' / code / 'crodino_core'
    share = tmp_path / 'prefix' / 'share' / 'crodino_ros'
    package.mkdir(parents=True)
    share.mkdir(parents=True)
    (share / 'package.xml').touch()
    assert share_directory(package) == share


def test_code_without_its_shared_files_says_so(tmp_path: Path) -> None:
    with pytest.raises(CrodinoError, match='install the package with pip or colcon'):
        share_directory(tmp_path / 'crodino_core')


def test_a_model_is_the_name_of_one_that_ships_or_a_path(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    shipped = ROOT / 'models' / 'indoor'
    assert model_path('indoor') == shipped
    (tmp_path / 'indoor').mkdir()
    assert model_path('indoor') == shipped  # any folder, not a bundle
    (tmp_path / 'indoor' / 'model.yaml').touch()
    assert model_path('indoor') == Path('indoor')
    assert model_path(str(tmp_path)) == tmp_path
    assert model_path('mine/indoor') == Path('mine/indoor')
