"""Run configurations."""

from pathlib import Path

import pytest

from pinhole_train.config import AnalysisShape, Config, Shape, SynthesisShape

CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.toml"))


def read(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "stage.toml"
    path.write_text(text)
    return Config.read(path)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_every_shipped_config_parses(path):
    config = Config.read(path)
    assert config.name == path.stem
    assert config.crop % 64 == 0
    assert 0 < config.lambda_range[0] < config.lambda_range[1]
    # A stage that starts from another starts from one that exists.
    if config.start:
        shipped = path.parents[1] / config.start
        # What `join` writes (docs/models.md, "Training").
        written = {"photo-joined"} | {p.stem for p in CONFIGS}
        assert shipped.is_file() or Path(config.start).parent.name in written


def test_there_are_shipped_configs():
    assert len(CONFIGS) >= 2


def test_settings_are_read(tmp_path):
    config = read(tmp_path, 'name = "a"\nsteps = 5\nlambda_range = [0.1, 0.2]\n[shape]\nlatents = 32\n')
    assert config == Config(name="a", steps=5, lambda_range=(0.1, 0.2), shape=Shape(latents=32))


def test_transforms_are_read_by_name(tmp_path):
    text = 'name = "a"\nsteps = 5\nbatch = 3\nsplit = { x = 1, y = 2 }\ntrain = ["analyses.x"]\n[shape.analyses]\n'
    text += "x = { width = 64 }\ny = { blocks = 2 }\n[shape.syntheses]\nlite = { hidden = 8 }\n"
    given = read(tmp_path, text)
    assert given.shape.analyses == {"x": AnalysisShape(width=64), "y": AnalysisShape(blocks=2)}
    assert given.shape.syntheses == {"lite": SynthesisShape(hidden=8)}
    for wrong in (text.replace("y = 2 }", "y = 3 }"), text.replace("{ x = 1", "{ z = 1"), text.replace("analyses.x", "gains")):
        with pytest.raises(ValueError, match="split|train"):
            read(tmp_path, wrong)


@pytest.mark.parametrize("text", ['lerning_rate = 1\nname = "a"\nsteps = 5\n', 'name = "a"\nsteps = 5\n[shape]\nlatent = 32\n'])
def test_a_misspelt_setting_is_an_error(tmp_path, text):
    with pytest.raises(ValueError, match="lerning_rate|latent"):
        read(tmp_path, text)


@pytest.mark.parametrize(
    "wrong",
    [
        'follow = "default"',
        'follow = "default"\ntrain = ["syntheses.standard"]',
        'follow = "none"\ntrain = ["analyses.default"]',
        "[shape]\npasses = 3",
    ],
)
def test_what_cannot_follow_and_other_numbers_of_passes_are_refused(tmp_path, wrong):
    with pytest.raises(ValueError, match="follow|passes"):
        read(tmp_path, f'name = "a"\nsteps = 5\n{wrong}\n')
