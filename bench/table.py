"""One table of CLIP engines on this machine: rates at small and large batches, latency, start, memory, agreement with float32.

    python bench/table.py TANDEM [--model ViT-B-32|ViT-L-14] [--rounds 3] [--engines tandem,openvino,…]

in an environment with torch, open_clip, onnxruntime, openvino and nncf (HACKING.md). The same generated weights for all; engines take
turns, medians of the rounds. Peers pad texts to 77 tokens, as they take them; Tandem computes the tokens there are (natural
captions, median 11). Each rate of Tandem's stands beside the GEMM ceiling measured in the same call. Prepared models (ONNX,
OpenVINO) are kept in out/bench.
"""
import argparse
import importlib.util
import json
import logging
import os
import pathlib
import statistics
import subprocess
import sys
import time
import warnings

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools/goldens"))
sys.path.insert(0, str(ROOT / "bench"))
os.environ.setdefault("HF_HUB_OFFLINE", "1")
import numpy as np
from oracle import open_clip, torch

from pipeline import measure, model_folder, pictures

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
THREADS = len(os.sched_getaffinity(0))
IMAGES, TEXTS = 32, 64

COLD = {
    "open_clip": """
import sys; sys.path.insert(0, {goldens!r})
from oracle import open_clip, torch
from safetensors.torch import load_file
torch.set_num_threads({threads})
m = open_clip.create_model({name!r}, pretrained=None); m.load_state_dict(load_file({weights!r})); m.eval()
if {half}: m = m.bfloat16()
x = torch.zeros(1, 3, 224, 224)
with torch.inference_mode(): m.encode_image(x.bfloat16() if {half} else x)
""",
    "onnxruntime": """
import numpy, onnxruntime
o = onnxruntime.SessionOptions(); o.intra_op_num_threads = {threads}
s = onnxruntime.InferenceSession({path!r}, o, providers=["CPUExecutionProvider"])
s.run(None, {{"x": numpy.zeros((1, 3, 224, 224), numpy.float32)}})
""",
    "openvino": """
import numpy, openvino
m = openvino.Core().compile_model({path!r}, "CPU", {config!r})
m(numpy.zeros((1, 3, 224, 224), numpy.float32))
""",
}


class Tower(torch.nn.Module):
    def __init__(self, encode):
        super().__init__()
        self.encode = encode

    def forward(self, x):
        return self.encode(x)


class Engine:
    """What is measured: functions of a batch, and the command of a process that starts and embeds one picture."""

    def __init__(self, name, precision, image, text, cold):
        self.name, self.precision, self.image, self.text, self.cold = name, precision, image, text, cold


def load(name, folder):
    from safetensors.torch import load_file

    model = open_clip.create_model(name, pretrained=None)
    model.load_state_dict(load_file(folder / "open_clip_model.safetensors"))
    return model.eval().requires_grad_(False)


def export(model, folder):
    paths = {"image": folder / "image.onnx", "text": folder / "text.onnx"}
    torch.backends.mha.set_fastpath_enabled(False)  # its operator has no ONNX form
    examples = {"image": (model.encode_image, torch.zeros(2, 3, 224, 224)), "text": (model.encode_text, torch.ones(2, 77, dtype=torch.long))}
    for key, (encode, example) in examples.items():
        if not paths[key].exists():
            torch.onnx.export(Tower(encode), (example,), str(paths[key]), input_names=["x"], opset_version=17, dynamo=False,
                              dynamic_axes={"x": {0: "batch"}})
    torch.backends.mha.set_fastpath_enabled(True)
    return paths


def cold(kind, **values):
    return [sys.executable, "-c", COLD[kind].format(goldens=str(ROOT / "tools/goldens"), threads=THREADS, **values)]


def torch_engines(name, folder):
    weights = str(folder / "open_clip_model.safetensors")
    for precision in ("fp32", "bf16"):
        half = precision == "bf16"
        model = load(name, folder)
        model = model.bfloat16() if half else model
        yield Engine("open_clip", precision, lambda x, m=model, h=half: m.encode_image(x.bfloat16() if h else x).float().numpy(),
                     lambda x, m=model: m.encode_text(x).float().numpy(), cold("open_clip", name=name, weights=weights, half=half))


def onnx_engines(paths, folder):
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    for precision in ("fp32", "int8"):
        use = dict(paths)
        if precision == "int8":
            use = {k: folder / f"{k}-int8.onnx" for k in paths}
            for key, path in use.items():
                if not path.exists():  # only constant operands are quantised: transposed weights have to be folded first
                    folded = str(path) + ".folded"
                    quant_pre_process(str(paths[key]), folded, skip_symbolic_shape=True)
                    quantize_dynamic(folded, str(path), weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "Gemm"])
                    os.remove(folded)
        run = {k: onnxruntime.InferenceSession(str(p), options, providers=["CPUExecutionProvider"]) for k, p in use.items()}
        yield Engine("ONNX Runtime", precision, lambda x, s=run["image"]: s.run(None, {"x": x.numpy()})[0],
                     lambda x, s=run["text"]: s.run(None, {"x": x.numpy()})[0], cold("onnxruntime", path=str(use["image"])))


def openvino_engines(paths, folder, images, texts):
    import openvino

    core = openvino.Core()
    quantised = {k: folder / f"{k}-int8.xml" for k in paths}
    for key, data in (("image", images), ("text", texts)):
        if not quantised[key].exists():
            import nncf

            samples = [data[i : i + 1].numpy() for i in range(len(data))]
            model = nncf.quantize(core.read_model(str(paths[key])), nncf.Dataset(samples, lambda x: {"x": x}), model_type=nncf.ModelType.TRANSFORMER,
                                  subset_size=len(samples))
            openvino.save_model(model, str(quantised[key]))
    for precision, hint in (("fp32", "f32"), ("bf16", "bf16"), ("int8", "bf16")):
        config = {"INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": THREADS, "PERFORMANCE_HINT": "LATENCY"}
        use = quantised if precision == "int8" else paths
        run = {k: core.compile_model(str(p), "CPU", config) for k, p in use.items()}
        yield Engine("OpenVINO", precision, lambda x, m=run["image"]: m(x.numpy())[0], lambda x, m=run["text"]: m(x.numpy())[0],
                     cold("openvino", path=str(use["image"]), config=config))


def times(function, least, seconds):
    """Of at least `least` calls and about `seconds`."""
    out, end = [], time.perf_counter() + seconds
    while len(out) < least or time.perf_counter() < end:
        start = time.perf_counter()
        function()
        out.append(time.perf_counter() - start)
    return out


def peer_round(engine, images, texts):
    with torch.inference_mode():
        return {"image 1": times(lambda: engine.image(images[:1]), 5, 1), "image many": times(lambda: engine.image(images), 2, 1),
                "text 1": times(lambda: engine.text(texts[:1]), 5, 1), "text many": times(lambda: engine.text(texts), 2, 1)}


def tandem_round(tandem, folder, precision):
    """(seconds a call, ceiling share) for each of the four: the program times itself."""
    out, shares = {}, {}
    for batch, tag in ((1, "1"), (None, "many")):
        for what, many in (("image", IMAGES), ("text", TEXTS)):
            count = batch or many
            answer = subprocess.run([tandem, "bench", "model", "--model", str(folder), "--precision", precision, "--batch", str(count),
                                     "--tokens", "11", "--runs", "60" if batch else "12", "--only", f"{what}s", "--json"],
                                    check=True, capture_output=True, text=True).stdout
            row = json.loads(answer.splitlines()[0])
            out[f"{what} {tag}"] = row["seconds"]
            if row["gemm_gflops"] > 0:  # at batch 1 weights come from memory, whoever computes
                shares[f"{what} {tag}"] = row["gflops"] / row["pass_gflops" if batch else "gemm_gflops"]
    return out, shares


def cosine(a, b):
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    return float(np.min(np.sum(a * b, 1)))


def row(name, precision, samples, start, memory, agreement, shares):
    rate = lambda key, count: count / statistics.median(samples[key])  # noqa: E731
    one = sorted(samples["image 1"])
    percent = lambda key: f" ({100 * shares[key]:.0f} %)" if key in shares else ""  # noqa: E731
    print(f"| {name} {precision} | {rate('image 1', 1):.1f}{percent('image 1')} | {rate('image many', IMAGES):.1f}{percent('image many')} | "
          f"{rate('text 1', 1):.0f}{percent('text 1')} | {rate('text many', TEXTS):.0f}{percent('text many')} | "
          f"{1e3 * statistics.median(one):.1f} / {1e3 * one[int(len(one) * 0.99)]:.1f} | {1e3 * start:.0f} | {memory:.0f} | {agreement:.6f} |", flush=True)


def installed(engines):
    """Those whose packages are here; says which are not."""
    packages = {"onnx": ["onnxruntime", "onnx"], "openvino": ["onnx", "openvino", "nncf"]}
    out = []
    for engine in engines:
        missing = [p for p in packages.get(engine, []) if importlib.util.find_spec(p) is None]
        if missing:
            print(f"{engine} is left out: {', '.join(missing)} not installed", file=sys.stderr)
        else:
            out.append(engine)
    return out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tandem")
    parser.add_argument("--model", default="ViT-B-32")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engines", default="open_clip,onnx,openvino,tandem")
    parser.add_argument("--precisions", default="fp32,bf16,int8")
    parser.add_argument("--prepare", action="store_true", help="only make the models that engines read")
    args = parser.parse_args()
    torch.set_num_threads(THREADS)
    work = ROOT / "out/bench"
    folder = model_folder(work / args.model.lower(), args.model)
    exported = work / f"{args.model.lower()}-exported"
    exported.mkdir(exist_ok=True)

    from PIL import Image

    reference = load(args.model, folder)
    paths = pictures(work / "jpeg-32", IMAGES, 500, 400)
    transform = open_clip.image_transform(224, is_train=False)
    images = torch.stack([transform(Image.open(p)) for p in sorted(paths.iterdir())])
    torch.manual_seed(1)
    texts = torch.randint(1, 40_000, (TEXTS, 77))
    texts[:, 0], texts[:, 11] = 49_406, 49_407
    texts[:, 12:] = 0
    with torch.inference_mode():
        exact = reference.encode_image(images).numpy()

    wanted, precisions = installed(args.engines.split(",")), args.precisions.split(",")
    engines = []
    if "open_clip" in wanted:
        engines += torch_engines(args.model, folder)
    if "onnx" in wanted or "openvino" in wanted:
        onnx = export(reference, exported)
    if "onnx" in wanted:
        engines += onnx_engines(onnx, exported)
    if "openvino" in wanted:
        engines += openvino_engines(onnx, exported, images, texts)
    quantised = work / f"{args.model.lower()}-int8"
    if "int8" in precisions and "tandem" in wanted and not quantised.exists():
        subprocess.run([args.tandem, "quantize", str(folder), "--out", str(quantised), "--quiet"], check=True, stdout=subprocess.DEVNULL)
    if args.prepare:
        return
    engines = [e for e in engines if e.precision in precisions]
    ours = precisions if "tandem" in wanted else []

    samples = {(e.name, e.precision): {} for e in engines} | {("Tandem", p): {} for p in ours}
    shares, starts = {p: {} for p in ours}, {key: [] for key in samples}
    one = pictures(work / "jpeg-one", 1, 500, 400)
    embed = lambda p, source, out: [args.tandem, "embed", str(source), "--model", str(quantised if p == "int8" else folder), "--precision", p, "--reference", "--dtype", "f32",  # noqa: E731
                                    "--out", str(work / out)]
    for e in engines:
        peer_round(e, images, texts)
    for _ in range(args.rounds):
        for e in engines:
            for key, values in peer_round(e, images, texts).items():
                samples[e.name, e.precision].setdefault(key, []).extend(values)
            starts[e.name, e.precision].append(measure(e.cold))
        for p in ours:
            found, share = tandem_round(args.tandem, folder, p)
            for key, values in found.items():
                samples["Tandem", p].setdefault(key, []).extend(values)
            for key, value in share.items():
                shares[p].setdefault(key, []).append(value)
            starts["Tandem", p].append(measure(embed(p, one, f"table-one-{p}")))

    print(f"{args.model}, {THREADS} threads, batches of 1 and {IMAGES} images, 1 and {TEXTS} texts; share of the GEMM ceiling in brackets, at batch 1 with weights from memory\n")
    print("| engine | images/s, 1 | images/s, 32 | texts/s, 1 | texts/s, 64 | ms an image, p50 / p99 | start to first embedding, ms | peak MB | cosine to fp32 |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    middle = lambda key, i: statistics.median(r[i] for r in starts[key])  # noqa: E731
    for e in engines:
        key = (e.name, e.precision)
        with torch.inference_mode():
            row(*key, samples[key], middle(key, 0), middle(key, 2), cosine(e.image(images), exact), {})
    for p in ours:
        measure(embed(p, paths, f"table-{p}"))
        vectors = np.load(work / f"table-{p}/img_emb/img_emb_0.npy")
        key = ("Tandem", p)
        row(*key, samples[key], middle(key, 0), middle(key, 2), cosine(vectors, exact),
            {k: statistics.median(v) for k, v in shares[p].items()})


if __name__ == "__main__":
    main()
