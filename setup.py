from setuptools import setup

setup(
    name="edgediff",
    version="0.1.0",
    description="Diffusion-based deep reinforcement learning for scheduling AIGC flows at the network edge",
    license="MIT",
    packages=["edgediff", "edgediff.baselines"],
    python_requires=">=3.10",
    install_requires=["torch>=2.10,<2.14", "numpy", "tqdm", "tensorboard"],
    extras_require={"test": ["pytest"], "experiments": ["matplotlib"]},
)
