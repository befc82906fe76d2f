"""Where the files that ship beside the code are: scenarios, models, the sample bag."""

from __future__ import annotations

from pathlib import Path

from crodino_core.bundle import DESCRIPTION_FILE
from crodino_core.errors import CrodinoError

PACKAGE_NAME = 'crodino_ros'
DEFAULT_MODEL = 'indoor'
"""Name of the model bundle that ships."""


def share_directory(package: Path | None = None) -> Path:
    """Return the folder that holds `config/`, `models/` and `launch/`.

    In a checkout (also `pip install -e` and `colcon build --symlink-install`) it is the
    repository's root. Installed, it is `<prefix>/share/crodino_ros` of the prefix the code lies
    in, so a virtual environment, `pip install --user` or `--target`, a Debian package and an
    ament prefix are all found alike, without asking ROS.

    :param package: folder of an installed `crodino_core`; this one unless a test says otherwise.
    :raises CrodinoError: the code was copied without its data files.
    """
    package = (package or Path(__file__).parent).resolve()
    if (package.parent / 'package.xml').is_file():
        return package.parent
    for prefix in package.parents:
        share = prefix / 'share' / PACKAGE_NAME
        if (share / 'package.xml').is_file():
            return share
    raise CrodinoError(
        f'the data files of {PACKAGE_NAME} were looked for beside {package} and in share/ of '
        'every folder above it, and are not there; install the package with pip or colcon '
        'instead of copying its folders'
    )


def model_path(model: str | Path) -> Path:
    """Return the folder of a model bundle: a path, or the name of one that ships in `models/`.

    A bundle of that name in the working directory goes first; another folder does not.
    """
    path = Path(model).expanduser()
    shipped = share_directory() / 'models' / path
    is_name = not path.is_absolute() and not (path / DESCRIPTION_FILE).is_file()
    return shipped if is_name and shipped.is_dir() else path
