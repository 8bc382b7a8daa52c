"""Writes assets/prompts/{simple,openai,imagenet_classes}.txt from open_clip's zero_shot_metadata.

Run with the reference environment active. Facts: the prompt sets and class names are OpenAI's (CLIP notebook
"Prompt_Engineering_for_ImageNet"), MIT licence, as open_clip carries them.
"""

import importlib.metadata
import importlib.util
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def metadata():
    # Loaded by path: importing the whole of open_clip pulls in torchvision, which this does not need.
    folder = pathlib.Path(importlib.metadata.distribution("open_clip_torch").locate_file("open_clip"))
    spec = importlib.util.spec_from_file_location("zero_shot_metadata", folder / "zero_shot_metadata.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(name, what, lines):
    version = importlib.metadata.version("open_clip_torch")
    path = ROOT / "assets" / "prompts" / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    head = f"# {what}, from open_clip {version} (OpenAI, MIT licence); written by tools/goldens/text_prompts.py\n"
    path.write_text(head + "".join(line + "\n" for line in lines), encoding="utf-8")
    print(f"{path.relative_to(ROOT)}: {len(lines)}", file=sys.stderr)


def main():
    source = metadata()
    write("simple", "7 prompt templates that do nearly as well as the 80", [f("{}") for f in source.SIMPLE_IMAGENET_TEMPLATES])
    write("openai", "CLIP's 80 prompt templates for ImageNet", [f("{}") for f in source.OPENAI_IMAGENET_TEMPLATES])
    write("imagenet_classes", "ImageNet-1k class names in class order", source.IMAGENET_CLASSNAMES)


if __name__ == "__main__":
    main()
