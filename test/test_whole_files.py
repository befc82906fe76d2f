"""Files and folders that are whole or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from crodino_core.whole_files import put_in_place, write_whole


def folder(path: Path, content: str) -> Path:
    path.mkdir(parents=True)
    (path / 'file').write_text(content)
    return path


def test_a_full_disk_is_named_with_the_file_and_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'a').write_text('old')
    monkeypatch.setattr(os, 'fdopen', lambda descriptor, mode: open('/dev/full', mode))  # noqa: SIM115
    with pytest.raises(OSError, match='No space left') as full:
        write_whole({tmp_path / 'a': 'new'})
    assert full.value.filename == str(tmp_path / 'a')
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [('a', 'old')]


def test_a_folder_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    new = folder(tmp_path / 'scratch' / 'new', 'new')
    put_in_place(new, folder(tmp_path / 'result', 'old'))
    assert (tmp_path / 'result' / 'file').read_text() == 'new'
    assert not new.exists()


def test_a_link_is_put_back_where_the_new_folder_cannot_be_put_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder(tmp_path / 'elsewhere', 'old')
    (tmp_path / 'result').symlink_to('elsewhere')  # relative: elsewhere it leads nowhere
    with pytest.raises(FileNotFoundError):
        put_in_place(tmp_path / 'nothing', tmp_path / 'result')
    assert (tmp_path / 'result' / 'file').read_text() == 'old'


@pytest.mark.parametrize('error', [OSError, KeyboardInterrupt])
def test_where_the_new_folder_cannot_be_put_in_place_the_earlier_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    new, rename = folder(tmp_path / 'scratch' / 'new', 'new'), Path.rename
    result = folder(tmp_path / 'result', 'old')

    def fails(self: Path, target: Path) -> Path:
        if self == new:
            raise error
        return rename(self, target)

    monkeypatch.setattr(Path, 'rename', fails)
    with pytest.raises(error):
        put_in_place(new, result)
    assert (result / 'file').read_text() == 'old'
