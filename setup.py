"""Maps the repository's folders onto the one import package `visionrouter`. All other metadata: pyproject.toml."""

from setuptools import find_packages, setup

FOLDERS = {
    "visionrouter": "router",
    "visionrouter.backends": "backends",
    "visionrouter.policies": "policies",
    "visionrouter.benchmarks": "benchmarks",
}

setup(
    package_dir=FOLDERS,
    packages=[
        package
        for name, folder in FOLDERS.items()
        for package in [name, *(f"{name}.{found}" for found in find_packages(folder))]
    ],
    package_data={
        "": ["py.typed", "*.yaml", "*.json", "*.txt", "presets/*.yaml", "profiles/*.yaml", "weights/**"]
    },
)
