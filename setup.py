from setuptools import find_packages, setup

setup(
    name="edgediff",
    version="0.2.0",
    description="Diffusion-based deep reinforcement learning for scheduling AIGC flows at the network edge",
    license="MIT",
    packages=find_packages(include=["edgediff", "edgediff.*"]),
    python_requires=">=3.10",
    install_requires=["torch>=2.10,<2.14", "numpy", "tqdm", "tensorboard"],
    extras_require={
        "test": ["pytest"],
        "experiments": ["matplotlib", "latex2mathml", "pandas"],
        "gym": ["gymnasium>=1.2.3"],
    },
)
