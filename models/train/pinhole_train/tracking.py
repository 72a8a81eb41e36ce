"""Where a run's parameters and metrics go: a JSON-lines file always, TensorBoard and MLflow where they are installed."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

log = logging.getLogger("pinhole_train")


class JsonLines:
    """`log.jsonl` beside the checkpoints: one object an entry."""

    def __init__(self, out: Path):
        self.file = open(out / "log.jsonl", "a")

    def metrics(self, step: int, values: dict[str, float]) -> None:
        rounded = {k: round(v, 5) if isinstance(v, float) else v for k, v in values.items()}
        self.file.write(json.dumps({"step": step} | rounded) + "\n")
        self.file.flush()

    def histogram(self, step: int, name: str, values: np.ndarray) -> None:
        """Too long for lines."""

    def picture(self, step: int, name: str, path: Path) -> None:
        """Lies beside the log already."""

    def close(self) -> None:
        self.file.close()


class TensorBoard:
    """Event files in the folder `tensorboard` of the run."""

    def __init__(self, out: Path, start: int):
        from torch.utils.tensorboard import SummaryWriter

        # A resumed run takes back what it had written beyond its checkpoint.
        self.writer = SummaryWriter(str(out / "tensorboard"), purge_step=start + 1)

    def metrics(self, step: int, values: dict[str, float]) -> None:
        for key, value in values.items():
            self.writer.add_scalar(key, value, step)

    def histogram(self, step: int, name: str, values: np.ndarray) -> None:
        self.writer.add_histogram(name, values, step)

    def picture(self, step: int, name: str, path: Path) -> None:
        self.writer.add_image(name, np.asarray(Image.open(path)), step, dataformats="HWC")

    def close(self) -> None:
        self.writer.close()


class MlFlow:
    """A run in an MLflow store; a resumed stage goes on in the run that it began."""

    def __init__(self, out: Path, uri: str, name: str, parameters: dict[str, Any], tags: dict[str, str]):
        if "://" not in uri or uri.startswith("file:"):
            # MLflow wants to hear that a folder is meant: it prefers databases.
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        import mlflow

        self.client = mlflow.MlflowClient(tracking_uri=uri)
        marker = out / "mlflow-run"
        if marker.exists():
            self.run = marker.read_text().strip()
            self.client.update_run(self.run, status="RUNNING")
            return
        experiment = self.client.get_experiment_by_name("pinhole")
        identity = experiment.experiment_id if experiment else self.client.create_experiment("pinhole")
        self.run = self.client.create_run(identity, tags=tags, run_name=name).info.run_id
        for key, value in parameters.items():
            self.client.log_param(self.run, key, value)
        marker.write_text(self.run + "\n")

    def metrics(self, step: int, values: dict[str, float]) -> None:
        for key, value in values.items():
            self.client.log_metric(self.run, key, value, step=step)

    def histogram(self, step: int, name: str, values: np.ndarray) -> None:
        """MLflow has none: three quantiles stand for it."""
        for part, value in zip(("low", "middle", "high"), np.quantile(values, [0.1, 0.5, 0.9])):
            self.client.log_metric(self.run, f"{name}.{part}", float(value), step=step)

    def picture(self, step: int, name: str, path: Path) -> None:
        self.client.log_artifact(self.run, str(path), name)

    def close(self) -> None:
        self.client.set_terminated(self.run)


class Tracker:
    """All sinks of a run."""

    def __init__(self, out: Path, start: int, uri: str | None, name: str, parameters: dict, tags: dict[str, str]):
        self.out = out
        self.sinks: list[JsonLines | TensorBoard | MlFlow] = [JsonLines(out)]
        try:
            self.sinks.append(TensorBoard(out, start))
        except ImportError:
            log.info("TensorBoard is not installed: no event files")
        if uri:
            self.sinks.append(MlFlow(out, uri, name, parameters, tags))

    def metrics(self, step: int, values: dict[str, float]) -> None:
        for sink in self.sinks:
            sink.metrics(step, values)

    def histogram(self, step: int, name: str, values: np.ndarray) -> None:
        for sink in self.sinks:
            sink.histogram(step, name, values)

    def picture(self, step: int, name: str, pixels: np.ndarray) -> None:
        """uint8, (h, w, 3); kept in the folder `samples` of the run."""
        folder = self.out / "samples"
        folder.mkdir(exist_ok=True)
        path = folder / f"{name}-{step:07}.png"
        Image.fromarray(pixels).save(path)
        for sink in self.sinks:
            sink.picture(step, name, path)

    def close(self) -> None:
        for sink in self.sinks:
            sink.close()


class Silent:
    """In place of a `Tracker` in processes beside the one that logs."""

    def metrics(self, step: int, values: dict[str, float]) -> None:
        pass

    def histogram(self, step: int, name: str, values: np.ndarray) -> None:
        pass

    def picture(self, step: int, name: str, pixels: np.ndarray) -> None:
        pass

    def close(self) -> None:
        pass


def flat(config: Any) -> dict[str, Any]:
    """A configuration as pairs, nested ones with dots."""
    pairs = {}
    for key, value in dataclasses.asdict(config).items():
        if isinstance(value, dict):
            pairs |= {f"{key}.{inner}": v for inner, v in value.items()}
        else:
            pairs[key] = value
    return pairs
