"""Types, and the examples of the README."""

import importlib.util
import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

import pinhole

HERE = Path(__file__).resolve().parents[1]


def run(*arguments: str) -> None:
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("mypy is not installed")
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=HERE, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_types_hold() -> None:
    run("mypy", "--strict", "python/pinhole")


def test_the_stub_is_that_of_the_extension() -> None:
    run("mypy.stubtest", "pinhole._native")


def test_types_are_installed() -> None:
    folder = Path(pinhole.__file__).parent
    assert (folder / "py.typed").exists() and (folder / "_native.pyi").exists()


def test_all_names_are_there_and_documented() -> None:
    for name in pinhole.__all__:
        value = getattr(pinhole, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__doc__, name


def test_the_examples_of_the_readme_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (HERE / "README.md").read_text(), re.DOTALL)
    assert len(blocks) >= 2
    shutil.copy(ROOT / "samples/rocket.jpg", tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
