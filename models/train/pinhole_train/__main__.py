"""Command line of the training side: `python -m pinhole_train STAGE …`."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="pinhole_train", description=__doc__)
    stages = parser.add_subparsers(dest="stage", required=True)
    train = stages.add_parser("train", help="run or resume one training stage")
    train.add_argument("config", type=Path)
    train.add_argument("--data", nargs="+", required=True, help="folders of pictures")
    train.add_argument("--out", type=Path, required=True, help="folder for checkpoints and logs")
    train.add_argument("--device", default="cpu")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    from .config import Config
    from .train import Trainer

    Trainer(Config.read(given.config), given.data, given.out, given.device).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
