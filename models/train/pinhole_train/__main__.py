"""Command line of the training side: `python -m pinhole_train STAGE …`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import sys
from pathlib import Path


def run_train(given: argparse.Namespace) -> None:
    from .config import Config
    from .train import Trainer

    config = Config.read(given.config)
    if given.start:
        config = dataclasses.replace(config, start=given.start)
    Trainer(config, given.data, given.out, given.device, given.tracking).run()


def run_export(given: argparse.Namespace) -> None:
    from .export import export

    export(given.checkpoint, given.out, given.name, given.version, given.data, given.lambda_range)


def run_evaluate(given: argparse.Namespace) -> None:
    from .evaluate import evaluate
    from .export import load_codec
    from .tables import read_tables

    model, _, _ = load_codec(given.checkpoint, as_float=given.as_float)
    if given.tables:
        model.coder = read_tables(given.tables)
    for row in evaluate(model, given.pictures, given.qualities):
        print(json.dumps(row))


def run_sensor_train(given: argparse.Namespace) -> None:
    from .sensor.config import SensorConfig
    from .sensor.train import train

    train(SensorConfig.read(given.config), given.data, given.out)


def run_sensor_export(given: argparse.Namespace) -> None:
    from .sensor.export import export

    export(given.model, given.data, given.out, given.name, given.version)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="pinhole_train", description=__doc__)
    stages = parser.add_subparsers(dest="stage", required=True)
    train = stages.add_parser("train", help="run or resume one training stage")
    train.add_argument("config", type=Path)
    train.add_argument("--data", nargs="+", required=True, help="folders of pictures")
    train.add_argument("--out", type=Path, required=True, help="folder for checkpoints and logs")
    train.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 …")
    train.add_argument("--tracking", metavar="URI", help="MLflow store to log to as well: a folder or a server")
    train.add_argument("--start", help="checkpoint to start from, in place of the config's")
    export = stages.add_parser("export", help="write the ONNX graphs and codec.json of a quantised checkpoint")
    export.add_argument("checkpoint", type=Path)
    export.add_argument("--data", nargs="+", required=True, help="folders of pictures to fit the symbol tables to")
    export.add_argument("--out", type=Path, required=True)
    export.add_argument(
        "--lambda-range", nargs=2, type=float, metavar=("LOW", "HIGH"), help="Lagrangians of qualities 0 and 100"
    )
    export.add_argument("--name", default="photo")
    export.add_argument("--version", default="0.1.0")
    evaluate = stages.add_parser("evaluate", help="estimate rate and distortion over a folder of pictures")
    evaluate.add_argument("checkpoint", type=Path)
    evaluate.add_argument("--pictures", required=True)
    evaluate.add_argument("--float", action="store_true", dest="as_float", help="leave the quantisation out")
    evaluate.add_argument("--tables", type=Path, help="codec.json of an export, for its fitted tables")
    evaluate.add_argument("--qualities", type=float, nargs="+", default=[0, 0.2, 0.4, 0.6, 0.8, 1])
    sensor_train = stages.add_parser("sensor-train", help="train a model of sensor windows")
    sensor_train.add_argument("config", type=Path)
    sensor_train.add_argument("--data", type=Path, required=True, help="folder of the config's dataset")
    sensor_train.add_argument("--out", type=Path, required=True, help="folder for model.pt and log.jsonl")
    sensor_export = stages.add_parser("sensor-export", help="write the ONNX graphs and sensor.json of a sensor model")
    sensor_export.add_argument("model", type=Path, help="model.pt of sensor-train")
    sensor_export.add_argument("--data", type=Path, required=True, help="its training data, to fit tables and scores to")
    sensor_export.add_argument("--out", type=Path, required=True)
    sensor_export.add_argument("--name", required=True)
    sensor_export.add_argument("--version", default="0.1.0")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    run = {
        "train": run_train,
        "export": run_export,
        "evaluate": run_evaluate,
        "sensor-train": run_sensor_train,
        "sensor-export": run_sensor_export,
    }
    run[given.stage](given)
    return 0


if __name__ == "__main__":
    sys.exit(main())
