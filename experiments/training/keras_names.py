"""`python -m experiments.training.keras_names`: writes experiments/study/keras_names.json from the installed Keras.

The file lists what study.toml may name: activations, losses, optimizers and initializers that Keras' registries have,
with their arguments and what these are by default. Reading it needs no TensorFlow. What our network or its compiled
epoch cannot use is left out; here is why.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
from keras.src import activations, initializers, losses, optimizers

from experiments.study.parts import NAMES

REGISTRIES: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "activations": activations.ALL_OBJECTS_DICT,
    "losses": losses.ALL_OBJECTS_DICT,
    "optimizers": optimizers.ALL_OBJECTS_DICT,
    "initializers": initializers.ALL_OBJECTS_DICT,
}
_BASE = "a base class"
_LABELS, _BATCH = "wants labels as targets, not one number a class", "gives one number a batch, not one an image"
_OTHERS = "wraps other optimizers"
LEFT_OUT = {
    "activations": {
        "glu": "gives half as many outputs as it has inputs",
        "threshold": "has no defaults for its arguments",
    },
    "losses": {
        "Loss": _BASE,
        "LossFunctionWrapper": _BASE,
        "sparse_categorical_crossentropy": _LABELS,
        "circle": _LABELS,
        "ctc": _LABELS,
        "dice": _BATCH,
        "tversky": _BATCH,
    },
    "optimizers": {
        "optimizer": _BASE,
        "optimizermap": _OTHERS,
        "multioptimizer": _OTHERS,
        "lossscaleoptimizer": _OTHERS,
        "schedulefreeadamw": "evaluates other weights than it trains, which model.fit swaps at the end",
    },
    "initializers": {"initializer": _BASE, "stft": "makes kernels of three dimensions"},
}
ARGUMENTS_LEFT_OUT = {
    **dict.fromkeys(("self", "x", "y_true", "y_pred"), "given by the network"),
    **dict.fromkeys(("name", "dtype", "reduction"), "changes nothing here"),
    **dict.fromkeys(("axis", "input_axes", "output_axes"), "there is only one that fits"),
    "seed": "follows from the run's seed",
    "learning_rate": "is a key of the arm",
    "from_logits": "say output = softmax or sigmoid: Keras then computes the loss from the logits by itself",
    **dict.fromkeys(("use_ema", "ema_momentum", "ema_overwrite_frequency"), "model.fit swaps weights at the end"),
    "loss_scale_factor": "for half precision",
    "gradient_accumulation_steps": "say a larger batch_size",
    **dict.fromkeys(("exclude_layers", "exclude_embeddings"), "for other networks"),
}


def names() -> dict[str, Any]:
    """The content of the file: by kind and name, the arguments with their defaults; and aliases by kind."""
    found: dict[str, Any] = {kind: dict(_usable(kind)) for kind in REGISTRIES}
    return {"keras": keras.__version__, **found, "aliases": {kind: _aliases(kind, found[kind]) for kind in REGISTRIES}}


def _usable(kind: str) -> Iterator[tuple[str, dict[str, object]]]:
    """Name and arguments of everything in a registry that an arm can use, in the order of the names."""
    registry = REGISTRIES[kind]
    for name in sorted({_own_name(kind, name) for name in registry} - LEFT_OUT[kind].keys()):
        yield name, arguments(registry[name])


def _own_name(kind: str, name: str) -> str:
    """The one name, of those that a registry has for the same thing, that we use: as in `optimizer="rmsprop"`."""
    target = REGISTRIES[kind][name]
    if name in LEFT_OUT[kind]:
        return name
    if kind == "optimizers":
        return target.__name__.lower()
    return to_snake_case(target.__name__)


def to_snake_case(name: str) -> str:
    """`HeNormal` → `he_normal`, `KLDivergence` → `kl_divergence`, as Keras does it; other names as they are."""
    return keras.src.utils.naming.to_snake_case(name) if name[0].isupper() else name


def arguments(target: Callable[..., Any]) -> dict[str, object]:
    """The arguments that study.toml can set, with their defaults."""
    parameters = inspect.signature(target.__init__ if inspect.isclass(target) else target).parameters.values()
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {p.name: p.default for p in parameters if p.name not in ARGUMENTS_LEFT_OUT and p.kind not in variable}


def _aliases(kind: str, usable: Mapping[str, object]) -> dict[str, str]:
    """Other names that Keras has for what is usable, such as "mse" and "RMSprop"."""
    registry = REGISTRIES[kind]
    pairs = {name: _own_name(kind, name) for name in sorted(registry)}
    if kind == "optimizers":  # Keras takes them in any case; articles write them as the classes are
        pairs = {registry[name].__name__: name for name in usable}
    return {name: own for name, own in pairs.items() if own in usable and name != own}


def text(content: Mapping[str, Any]) -> str:
    """`content` as JSON with a line for each name."""
    lines = []
    for kind, entries in content.items():
        if not isinstance(entries, Mapping):
            lines.append(f" {json.dumps(kind)}: {json.dumps(entries)}")
            continue
        inner = ",\n".join(f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in entries.items())
        lines.append(f" {json.dumps(kind)}: {{\n{inner}\n }}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    NAMES.write_text(text(names()), encoding="utf-8")
