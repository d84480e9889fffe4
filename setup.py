import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(
    r'^__version__ = "(.+)"$', HERE.joinpath("edgediff", "__init__.py").read_text("utf-8"), re.MULTILINE
)

setup(
    name="edgediff",
    version=VERSION[1],
    description="Diffusion-based deep reinforcement learning for scheduling AIGC flows at the network edge",
    long_description=HERE.joinpath("README.md").read_text("utf-8"),
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
    package_data={"edgediff": ["py.typed"]},
    python_requires=">=3.10",
    # The lowest versions are those that the tests of world, gym, learner, config and training passed with.
    # Bits of a run depend on the version of torch.
    install_requires=["torch>=2.13,<2.14", "numpy>=1.23.5", "tqdm>=4.60", "tensorboard>=2.21"],
    extras_require={
        "test": ["pytest>=8.4"],
        "experiments": ["matplotlib", "latex2mathml", "pandas"],
        # Before 1.4, the statistics of episodes are wrong for a batch that resets in the same step.
        "gym": ["gymnasium>=1.4"],
        "dev": ["ruff", "mypy", "pre-commit", "nbclient", "ipykernel"],
    },
)
