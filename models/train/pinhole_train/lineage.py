"""Where a model comes from."""

from __future__ import annotations

import subprocess
from pathlib import Path


def code_commit() -> str:
    """The commit of this code, with a plus where files differ from it; "unknown" outside a repository."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], capture_output=True, text=True, check=True, cwd=Path(__file__).parent)
        return done.stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
