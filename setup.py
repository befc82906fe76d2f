"""Build description for colcon (ament_python) and pip; name and version are package.xml's."""

from pathlib import Path
from xml.etree import ElementTree

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent  # colcon --symlink-install runs a link to this file
MANIFEST = ElementTree.parse(ROOT / 'package.xml').getroot()
NAME = MANIFEST.findtext('name', '')
MAINTAINER = MANIFEST.find('maintainer')

SHARED_FOLDERS = ('config', 'foxglove', 'launch', 'models', 'rviz', 'samples')
"""Installed as they are into share/crodino_ros, where crodino_core.resources finds them."""

RUNTIME = [
    'cyclonedds>=0.10.5; platform_machine == "x86_64"',
    'jinja2>=3.0',
    'numpy>=1.22',
    'opencv-python-headless>=4.8,<5',
    'openvino>=2024.0',
    'PyYAML>=5.4',
    'rich>=12',
    'rosbags>=0.11',
    'rosbags-image>=0.10',
    'typer>=0.12',
]
EXTRAS = {
    'onnxruntime': ['onnx>=1.15', 'onnxruntime>=1.17'],
    # TensorRT itself comes with JetPack, or as a wheel for the CUDA of the machine.
    'tensorrt': ['cuda-python>=12', 'onnx>=1.15'],
    'torch': ['onnx>=1.15', 'onnx2torch>=1.5.13', 'torch>=2.1'],
    'train': [
        'matplotlib',
        'onnx>=1.15',
        'onnxruntime>=1.17',
        'onnxscript',
        'onnx2torch>=1.5.13',
        'pydantic>=2.5',
        'tensorboard',
        'torch>=2.4',
        'torchmetrics>=1.0',
        'torchvision>=0.19',
    ],
    'data': ['h5py>=3', 'scipy>=1.7'],  # MATLAB files, for crodino data import nyudepth
    'ray': ['ray>=2.9'],
    # The linters' minor releases change what they accept, so they are held.
    'test': [
        'hypothesis',
        'mypy~=2.4.0',
        'pytest>=7',
        'ruff~=0.17.6',
        'setuptools',
        'types-PyYAML',
    ],
}


def shared_files() -> list[tuple[str, list[str]]]:
    """Return (folder below the prefix, files) of everything that ships beside the code."""
    files = [
        ('share/ament_index/resource_index/packages', [f'resource/{NAME}']),
        (f'share/{NAME}', ['package.xml']),
    ]
    for top in SHARED_FOLDERS:
        for folder in (ROOT / top, *sorted((ROOT / top).rglob('*/'))):
            inside = [path for path in sorted(folder.glob('*')) if path.is_file()]
            kept = [p.relative_to(ROOT).as_posix() for p in inside if not p.name.startswith('.')]
            if kept and '__pycache__' not in folder.parts:
                files.append((f'share/{NAME}/{folder.relative_to(ROOT).as_posix()}', kept))
    return files


setup(
    name=NAME,
    version=MANIFEST.findtext('version'),
    description=MANIFEST.findtext('description'),
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license=MANIFEST.findtext('license'),
    maintainer=MAINTAINER.text,
    maintainer_email=MAINTAINER.get('email'),
    python_requires='>=3.10',
    packages=find_packages(include=['crodino_core*', 'crodino_ros*']),
    package_data={'crodino_core.evaluation': ['*.jinja']},
    data_files=shared_files(),
    install_requires=RUNTIME,
    extras_require=EXTRAS,
    entry_points={
        'console_scripts': [
            'crodino = crodino_ros.cli:main',
            'segment_node = crodino_ros.segment_node:main',
            'fault_injector_node = crodino_ros.fault_injector_node:main',
            'bag_player_node = crodino_ros.bag_player_node:main',
            'bag_starter_node = crodino_ros.bag_starter_node:main',
        ]
    },
    zip_safe=True,
)
