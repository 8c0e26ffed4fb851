import re
from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent
requirements = [line for line in (here / "requirements.txt").read_text().splitlines() if line and line[0] != "#"]
tensorflow = requirements[0].removeprefix("tensorflow")

setup(
    name="dcgan_tf",
    version=re.search(r'__version__ = "(.+)"', (here / "dcgan_tf/__init__.py").read_text())[1],
    description="The DCGAN of 'Fulfillment lies in creating something', in TensorFlow and Keras 3",
    long_description=(here / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    packages=find_packages(include=["dcgan_tf", "dcgan_tf.*"]),
    package_data={"dcgan_tf.layer_figures": ["report.html"]},
    python_requires=">=3.10",
    install_requires=requirements,
    extras_require={
        "gpu": [f"tensorflow[and-cuda]{tensorflow}"],
        "download": ["gdown>=6.5"],
        "inpaint": ["scikit-image>=0.22"],
        "peers": ["torch>=2.4"],
        "test": ["pytest>=8", "scikit-image>=0.22", "ruff>=0.8", "setuptools>=68", "gdown>=6.5", "hypothesis>=6"],
    },
)
