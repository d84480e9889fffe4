import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
README = HERE.joinpath("README.md").read_text("utf-8")
VERSION = re.search(
    r'^__version__ = "(.+)"$', HERE.joinpath("edgediff", "__init__.py").read_text("utf-8"), re.MULTILINE
)

setup(
    name="edgediff",
    version=VERSION[1],
    description="Diffusion-based deep reinforcement learning for scheduling AIGC flows at the network edge",
    long_description=README.partition("\n![")[0],  # the text up to the first picture: below it, links are relative
    long_description_content_type="text/markdown",
    license="MIT",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Education",
        "Intended Audience :: Science/Research",
        "Operating System :: MacOS",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
    packages=find_packages(include=["edgediff", "edgediff.*"]),
    # Said, so that an editable install is a plain path: with a finder, a clone would hide the package from its parent.
    package_dir={"": "."},
    package_data={"edgediff": ["py.typed"]},
    python_requires=">=3.10",
    # The lowest versions are those that the tests of world, gym, learner and run passed with, together, on Python 3.11.
    # Bits of a run depend on the versions of torch and NumPy: experiments/results/constraints.txt.
    install_requires=["torch>=2.6", "numpy>=1.23.5", "tqdm>=4.60", "tensorboard>=2.16"],
    extras_require={
        "test": ["pytest>=8.4"],
        "experiments": ["matplotlib>=3.9", "latex2mathml>=3.80", "pandas>=2.0"],
        # Before 1.4, the statistics of episodes are wrong for a batch that resets in the same step.
        "gym": ["gymnasium>=1.4"],
        # To export an agent; to decide with the file, NumPy and onnxruntime are enough, from 1.20 on.
        "onnx": ["onnx", "onnxruntime>=1.20", "onnxscript"],
        # To send the jobs of a grid to many machines.
        "cluster": ["distributed"],
        "dev": ["ruff", "mypy", "pre-commit", "nbclient", "ipykernel"],
    },
)
