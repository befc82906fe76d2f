"""Draws docs/images/faults.png and the table of docs/faults.md from the fault registry.

    python docs/fault_gallery.py [--data FOLDER] [--picture FILE] [--thumbnail PIXELS] [--table]

Without `--data` (a folder in the native data set format) a synthetic room is rendered. Every row
shows one fault of content: without it, then severity 1 to 5.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from crodino_core.evaluation.faults import FAULTS, FaultKind
from crodino_core.modality import Modality
from crodino_core.rgbd_folder import RgbdFolder
from crodino_core.runtime.frame import Frame

HERE = Path(__file__).resolve().parent
BEGIN, END = '<!-- faults: begin -->', '<!-- faults: end -->'
GROUPS = {
    'timing': 'Time (either sensor)',
    'colour': 'Colour',
    'depth': 'Depth',
    'both': 'Content of either sensor',
}
FARTHEST_M = 6.0
SCENE_SEED, POSE_SEED = 3, 4
STRIPS = 5


def main() -> None:
    """Draw the picture and, if asked, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--data', type=Path, help='take the middle frame of this data set')
    parser.add_argument('--picture', type=Path, default=HERE / 'images' / 'faults.png')
    parser.add_argument('--thumbnail', type=int, default=92, help='width of a thumbnail, pixels')
    parser.add_argument('--table', action='store_true', help='rewrite the table of faults.md')
    arguments = parser.parse_args()
    if arguments.table:
        page = HERE / 'faults.md'
        before, _, rest = page.read_text(encoding='utf-8').partition(BEGIN)
        _, _, after = rest.partition(END)
        page.write_text(f'{before}{BEGIN}\n{table()}{END}{after}', encoding='utf-8')
    rgb, depth = read_pair(arguments.data) if arguments.data else render_pair()
    write_picture(arguments.picture, contact_sheet(rgb, depth, arguments.thumbnail))


def table() -> str:
    """Return the catalogue as Markdown, a chapter for each group."""
    parts = []
    for group, title in GROUPS.items():
        rows = [_row(kind) for kind in FAULTS.values() if kind.group == group]
        head = '| kind | what happens | why | measure: severity 1 to 5 | default | source |'
        parts.append('\n'.join([f'\n### {title}\n', head, '|---|---|---|---|---|---|', *rows, '']))
    return '\n'.join(parts)


def _row(kind: FaultKind) -> str:
    levels = ', '.join(f'{level:g}' for level in kind.levels)
    extra = [name for name in kind.parameters if name not in ('severity', 'seed', kind.measure)]
    measure = f'`{kind.measure}`, {kind.meaning}: **{levels}**'
    if extra:
        defaults = ', '.join(f'`{name}: {str(kind.parameters[name]).lower()}`' for name in extra)
        measure += f'; also {defaults}'
    cells = (f'`{kind.name}`', kind.summary, kind.motive, measure)
    return '| ' + ' | '.join((*cells, str(kind.parameters['severity']), kind.source)) + ' |'


def read_pair(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return colour and depth of a data set's middle test frame."""
    data = RgbdFolder(folder)
    names = data.names('test')
    sample = data.read(names[len(names) // 2])
    return sample.rgb, sample.depth


def render_pair() -> tuple[np.ndarray, np.ndarray]:
    """Return colour and depth of a rendered room."""
    from crodino_core.learning.data.scenes import Camera, Scene

    scene = Scene(SCENE_SEED)
    (pose,) = scene.random_poses(1, np.random.default_rng(POSE_SEED), candidates=40)
    frame = scene.render(pose, Camera.from_fov(360, 480, 75.0), supersample=2)
    return frame.rgb, frame.depth_clean


def contact_sheet(rgb: np.ndarray, depth: np.ndarray, width: int) -> np.ndarray:
    """Return uint8 [H, W, 3]: colour faults on the left, depth faults on the right."""
    clean = {
        Modality.RGB: Frame(Modality.RGB, rgb, 10**18, 0.0),
        Modality.DEPTH: Frame(Modality.DEPTH, depth, 10**18, 0.0),
    }
    columns = []
    for sensor in Modality:
        kinds = [k for k in FAULTS.values() if k.decides is None and sensor in k.sensors]
        rows = [_sheet_row(kind, sensor, clean, width) for kind in kinds]
        columns.append(np.concatenate(rows))
    tallest = max(column.shape[0] for column in columns)
    filled = [
        np.pad(c, ((0, tallest - c.shape[0]), (0, 8), (0, 0)), constant_values=255)
        for c in columns
    ]
    return np.concatenate(filled, axis=1)


def _sheet_row(
    kind: FaultKind, sensor: Modality, clean: dict[Modality, Frame], width: int
) -> np.ndarray:
    """Return one fault: its name, the clean picture, and severities 1 to 5."""
    shown = [clean[sensor].image]
    for severity in range(1, 6):
        push = kind.start(None, {'severity': severity, 'seed': 2}, clean.get)
        frames = [out.image for _ in range(STRIPS) for out in push(clean[sensor])]
        shown.append(_strips(frames) if kind.measure == 'probability' else frames[0])
    thumbnails = [_thumbnail(image, width, clean[sensor].size) for image in shown]
    label = np.full((thumbnails[0].shape[0], 104, 3), 255, np.uint8)
    for line, word in enumerate(kind.name.split('_')):
        place = (2, 14 + 13 * line)
        cv2.putText(label, word, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    return np.pad(
        np.concatenate([label, *thumbnails], axis=1), ((1, 1), (0, 0), (0, 0)), constant_values=255
    )


def _strips(frames: list[np.ndarray]) -> np.ndarray:
    """Return a fault that strikes now and then: a strip of each of several frames."""
    edges = np.linspace(0, frames[0].shape[1], len(frames) + 1).astype(int)
    strips = [f[:, a:b] for f, a, b in zip(frames, edges, edges[1:], strict=False)]
    return np.concatenate(strips, axis=1)


def _thumbnail(image: np.ndarray, width: int, size: tuple[int, int]) -> np.ndarray:
    """Return a small colour picture; near depth is red, far depth blue, and no depth black."""
    height = round(width * size[0] / size[1])
    if image.ndim == 2:
        valid = np.isfinite(image) & (image > 0)
        near = 255 * (1 - np.clip(np.nan_to_num(image) / FARTHEST_M, 0, 1))
        image = cv2.applyColorMap(near.astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1].copy()
        image[~valid] = 0
    small = image.shape[1] < width
    way = cv2.INTER_NEAREST if small else cv2.INTER_AREA
    picture = cv2.resize(image, (width - 2, height), interpolation=way)
    return np.pad(picture, ((0, 0), (1, 1), (0, 0)), constant_values=255)


def write_picture(path: Path, sheet: np.ndarray) -> None:
    """Write a PNG with 256 colours: a third of the size."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet).quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f'{path}: {path.stat().st_size / 1024:.0f} kB')


if __name__ == '__main__':
    main()
