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
    from .workers import train_together

    config = Config.read(given.config)
    if given.start:
        config = dataclasses.replace(config, start=given.start)
    if given.workers > 1:
        if given.device != "cpu" or given.seconds:
            raise SystemExit("--workers are processes of the CPU, and agree on steps, not on seconds")
        train_together(given.workers, config, given.data, given.out, given.tracking)
        return
    Trainer(config, given.data, given.out, given.device, given.tracking, given.seconds).run()


def run_decoder(given: argparse.Namespace) -> None:
    from .decoder_config import DecoderConfig
    from .decoder_train import train_decoders

    configs = [DecoderConfig.read(path) for path in given.configs]
    train_decoders(configs, given.codec, given.data, given.out, given.device, given.tracking, given.seconds)


def run_export(given: argparse.Namespace) -> None:
    from .export import export

    export(given.checkpoint, given.out, given.name, given.version, given.data, given.lambda_range)


def run_recover(given: argparse.Namespace) -> None:
    from .recover import recover

    print(recover(given.bundle, given.out))


def run_join(given: argparse.Namespace) -> None:
    from .join import join

    parts = {part: Path(path) for part, _, path in (pair.partition("=") for pair in given.parts)}
    print(join(given.base, parts, given.out))


def run_blend(given: argparse.Namespace) -> None:
    from .blend import blend

    print(blend(given.first, given.second, given.share, given.out))


def run_shrink(given: argparse.Namespace) -> None:
    from .checkpoint import shrink

    print(shrink(given.checkpoint, given.out, given.bits))


def run_export_decoder(given: argparse.Namespace) -> None:
    from .float_export import export_decoder

    for path in given.checkpoints:
        print(export_decoder(path, given.out))


def run_evaluate(given: argparse.Namespace) -> None:
    from .evaluate import evaluate
    from .export import load_codec
    from .tables import read_tables

    model, _, _ = load_codec(given.checkpoint, as_float=given.as_float)
    if given.tables:
        model.coder = read_tables(given.tables)
    for row in evaluate(model, given.pictures, given.qualities, given.limit, given.analysis, given.synthesis):
        print(json.dumps(row))


def run_ablate(given: argparse.Namespace) -> None:
    from .ablate import ablate, as_table

    print(as_table(ablate(given.variants, given.data, given.pictures, given.out, given.only, given.limit)))


def run_draw(given: argparse.Namespace) -> None:
    from .draw import draw

    decoders = {name: Path(path) if path else None for name, _, path in (pair.partition("=") for pair in given.decoders)}
    for row in draw(given.codec, given.pictures, given.quality, decoders, given.out, given.analysis, given.limit):
        print(json.dumps(row))


def run_realism(given: argparse.Namespace) -> None:
    from .realism import realism

    drawn = {}
    for pair in given.drawn:
        name, _, folder = pair.rpartition("=")
        drawn[name or Path(folder).name] = folder
    rows = realism(given.originals, drawn, given.training, given.patch, given.stride, given.training_patches, given.out)
    for row in rows:
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
    train.add_argument("--workers", type=int, default=1, metavar="N", help="processes on the CPU, a batch each for every step")
    train.add_argument("--seconds", type=float, default=0, help="let the schedule follow the clock, for so long, not the steps")
    decoder = stages.add_parser("decoder", help="run or resume stages of float decoders, one after the other")
    decoder.add_argument("configs", type=Path, nargs="+")
    decoder.add_argument("--codec", type=Path, required=True, help="checkpoint of the quantised codec that they decode")
    decoder.add_argument("--data", nargs="+", required=True, help="folders of pictures")
    decoder.add_argument("--out", type=Path, required=True, help="each stage gets a folder of its name in this one")
    decoder.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 …")
    decoder.add_argument("--tracking", metavar="URI", help="MLflow store to log to as well: a folder or a server")
    decoder.add_argument("--seconds", type=float, nargs="+", help="let each stage's schedule follow the clock, for so long")
    export = stages.add_parser("export", help="write the ONNX graphs and codec.json of a quantised checkpoint")
    export.add_argument("checkpoint", type=Path)
    export.add_argument("--data", nargs="+", required=True, help="folders of pictures to fit the symbol tables to")
    export.add_argument("--out", type=Path, required=True)
    export.add_argument(
        "--lambda-range", nargs=2, type=float, metavar=("LOW", "HIGH"), help="Lagrangians of qualities 0 and 100"
    )
    export.add_argument("--name", default="photo")
    export.add_argument("--version", default="0.1.0")
    recoverer = stages.add_parser("recover", help="write the weights of a bundle as a checkpoint, for stages to start from")
    recoverer.add_argument("bundle", type=Path)
    recoverer.add_argument("--out", type=Path, required=True)
    joiner = stages.add_parser("join", help="put transforms of several checkpoints into one")
    joiner.add_argument("base", type=Path, help="its entropy model, and all transforms that are not taken from others")
    joiner.add_argument("parts", nargs="+", metavar="PART=CHECKPOINT", help="analyses.fast=runs/photo-fast/last.ckpt …")
    joiner.add_argument("--out", type=Path, required=True)
    blender = stages.add_parser("blend", help="weights between those of two checkpoints")
    blender.add_argument("first", type=Path)
    blender.add_argument("second", type=Path, help="began at the first")
    blender.add_argument("--share", type=float, required=True, help="how much of the way to the second, 0 to 1")
    blender.add_argument("--out", type=Path, required=True)
    shrinker = stages.add_parser("shrink", help="write the weights of a stage small, for others to start from")
    shrinker.add_argument("checkpoint", type=Path)
    shrinker.add_argument("--out", type=Path, required=True)
    shrinker.add_argument("--bits", type=int, choices=range(4, 9), default=8, help="of a weight; fewer than 8 are only a start")
    float_export = stages.add_parser("export-decoder", help="write the ONNX graphs of float decoders")
    float_export.add_argument("checkpoints", type=Path, nargs="+", help="decoder.ckpt of each stage")
    float_export.add_argument("--out", type=Path, required=True)
    evaluate = stages.add_parser("evaluate", help="estimate rate and distortion over a folder of pictures")
    evaluate.add_argument("checkpoint", type=Path)
    evaluate.add_argument("--pictures", required=True)
    evaluate.add_argument("--limit", type=int, help="only so many of the pictures")
    evaluate.add_argument("--analysis", help="which one; otherwise the first")
    evaluate.add_argument("--synthesis", help="likewise")
    evaluate.add_argument("--float", action="store_true", dest="as_float", help="leave the quantisation out")
    evaluate.add_argument("--tables", type=Path, help="codec.json of an export, for its fitted tables")
    evaluate.add_argument("--qualities", type=float, nargs="+", default=[0, 0.2, 0.4, 0.6, 0.8, 1])
    ablation = stages.add_parser("ablate", help="short trainings that differ in one setting, compared")
    ablation.add_argument("variants", type=Path, help="TOML file of a base and variants")
    ablation.add_argument("--data", nargs="+", required=True, help="folders of pictures")
    ablation.add_argument("--pictures", required=True, help="folder of pictures to measure on")
    ablation.add_argument("--limit", type=int, help="only so many of the pictures")
    ablation.add_argument("--only", nargs="+", default=[], metavar="VARIANT", help="run these; all that are done are compared")
    ablation.add_argument("--out", type=Path, required=True, help="each variant gets a folder of its name in this one")
    drawer = stages.add_parser("draw", help="write pictures as decoders draw them")
    drawer.add_argument("codec", type=Path, help="checkpoint of the codec")
    drawer.add_argument("decoders", nargs="+", metavar="NAME[=CHECKPOINT]", help="a float decoder, or the codec's own by name")
    drawer.add_argument("--pictures", required=True)
    drawer.add_argument("--quality", type=float, default=0.02, help="0 to 1")
    drawer.add_argument("--out", type=Path, required=True, help="each decoder gets a folder of its name in this one")
    drawer.add_argument("--analysis", default="default")
    drawer.add_argument("--limit", type=int, help="only so many of the pictures")
    real = stages.add_parser("realism", help="compare decoded pictures with originals as sets of patches")
    real.add_argument("originals", help="folder of pictures")
    real.add_argument("drawn", nargs="+", metavar="[NAME=]FOLDER", help="decoded pictures of the same names")
    real.add_argument("--training", nargs="+", default=[], help="folders of training pictures: look for memorised patches")
    real.add_argument("--training-patches", type=int, default=4000, help="how many of their patches to look at")
    real.add_argument("--patch", type=int, default=128, help="side of a patch, pixels")
    real.add_argument("--stride", type=int, default=64)
    real.add_argument("--out", type=Path, help="folder for realism.json and sheets of nearest training patches")
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
        "train": run_train, "decoder": run_decoder, "recover": run_recover, "join": run_join, "blend": run_blend,
        "shrink": run_shrink, "export": run_export, "export-decoder": run_export_decoder,
        "evaluate": run_evaluate, "ablate": run_ablate, "draw": run_draw, "realism": run_realism,
        "sensor-train": run_sensor_train, "sensor-export": run_sensor_export,
    }  # fmt: skip
    run[given.stage](given)
    return 0


if __name__ == "__main__":
    sys.exit(main())
