"""open_clip's image_transform without its model code, beside a torch whose torchvision has no compiled operators."""

import importlib.metadata

import torch

VERSION = importlib.metadata.version("open_clip_torch")

_register_fake = torch.library.register_fake


def _tolerant(name, *args, **kwargs):
    if isinstance(name, str) and name.startswith("torchvision::"):
        return lambda function: function
    return _register_fake(name, *args, **kwargs)


torch.library.register_fake = _tolerant
from open_clip.transform import image_transform  # noqa: E402, F401
