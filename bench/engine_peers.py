"""Images and texts a second of ViT-B/32 in other engines, for bench/engine_bench to stand beside in the same run.

    python bench/engine_peers.py PATH/TO/engine_bench [ROUNDS]   # in an environment with torch, open_clip, onnxruntime, openvino

Every peer runs open_clip's model with random weights on 2 threads, 32 images and 64 texts padded to 77 tokens (that is how
they take texts; ours computes only the tokens there are: 5 to 30, median 11). Peers and engine_bench take turns; medians.
"""
import os
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../tools/goldens"))
os.environ.setdefault("HF_HUB_OFFLINE", "1")
from oracle import open_clip, torch

THREADS, IMAGES, TEXTS = 2, 32, 64
torch.set_num_threads(THREADS)


class Tower(torch.nn.Module):
    def __init__(self, encode):
        super().__init__()
        self.encode = encode

    def forward(self, x):
        return self.encode(x)


def peers():
    """(name, precision, image function, text function)"""
    torch.manual_seed(0)
    model = open_clip.create_model("ViT-B-32", pretrained=None).eval().requires_grad_(False)
    images = torch.randn(IMAGES, 3, 224, 224)
    texts = torch.randint(1, 40_000, (TEXTS, 77))
    texts[:, 11] = 49_407
    half = open_clip.create_model("ViT-B-32", pretrained=None).eval().bfloat16().requires_grad_(False)
    yield "open_clip torch", "fp32", lambda: model.encode_image(images), lambda: model.encode_text(texts)
    yield "open_clip torch", "bf16", lambda: half.encode_image(images.bfloat16()), lambda: half.encode_text(texts)
    folder = tempfile.mkdtemp()
    paths = {}
    torch.backends.mha.set_fastpath_enabled(False)  # its operator has no ONNX form
    for name, encode, example in (("image", model.encode_image, images), ("text", model.encode_text, texts)):
        paths[name] = f"{folder}/{name}.onnx"
        torch.onnx.export(Tower(encode), (example,), paths[name], input_names=["x"], opset_version=17, dynamo=False,
                          dynamic_axes={"x": {0: "batch"}})
    torch.backends.mha.set_fastpath_enabled(True)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    sessions = {k: onnxruntime.InferenceSession(v, options, providers=["CPUExecutionProvider"]) for k, v in paths.items()}
    image_array, text_array = images.numpy(), texts.numpy()
    yield ("ONNX Runtime", "fp32", lambda: sessions["image"].run(None, {"x": image_array}),
           lambda: sessions["text"].run(None, {"x": text_array}))
    import openvino

    for precision, hint in (("fp32", "f32"), ("bf16", "bf16")):
        config = {"INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": THREADS, "PERFORMANCE_HINT": "LATENCY"}
        core = openvino.Core()
        image = core.compile_model(paths["image"], "CPU", config)
        text = core.compile_model(paths["text"], "CPU", config)
        yield ("OpenVINO", precision, lambda image=image: image(image_array), lambda text=text: text(text_array))


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main(bench, rounds):
    entries = list(peers())
    times = {(name, precision, what): [] for name, precision, _, _ in entries for what in ("image", "text")}
    with torch.no_grad():
        for _, _, image, text in entries:
            image(), text()
        for _ in range(rounds):
            for name, precision, image, text in entries:
                times[name, precision, "image"].append(seconds(image))
                times[name, precision, "text"].append(seconds(text))
            for precision in ("fp32", "bf16"):
                print(subprocess.run([bench, precision, str(THREADS), "1", str(IMAGES), str(TEXTS)], check=True,
                                     capture_output=True, text=True).stdout, flush=True)
    for name, precision, _, _ in entries:
        image, text = (statistics.median(times[name, precision, what]) for what in ("image", "text"))
        print(f"{name} {precision}: {IMAGES / image:.1f} images/s, {TEXTS / text:.1f} texts/s")


main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3)
