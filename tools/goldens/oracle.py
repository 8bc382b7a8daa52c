"""Importing the reference implementations. torchvision's wheel from PyPI is a CUDA build; only its Python transforms are
needed, so the registration of its operators is skipped."""
import torch

_register_fake = torch.library.register_fake


def _skip_torchvision(name, *args, **kwargs):
    if isinstance(name, str) and name.startswith("torchvision::"):
        return lambda function: function
    return _register_fake(name, *args, **kwargs)


torch.library.register_fake = _skip_torchvision
import open_clip  # noqa: E402

__all__ = ["open_clip", "torch"]
