#!/usr/bin/env python3
"""Checks that `tandem pull` and huggingface_hub find each other's files. Needs huggingface_hub (HACKING "The reference
implementations"); no network: both talk to tests/cli/hub.py.

    tools/check_hub_cache.py --bin build/release/bin
"""
import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HUB = [sys.executable, str(ROOT / "tests/cli/hub.py")]
FILES = ("open_clip_config.json", "open_clip_model.safetensors")
READ = """
import sys, huggingface_hub as h
for name in {files}:
    path = h.try_to_load_from_cache('acme/tiny', name)
    assert isinstance(path, str) and open(path, 'rb').read() == open('tiny/' + name, 'rb').read(), name
scan = h.scan_cache_dir()
assert not scan.warnings, scan.warnings
(repo,) = scan.repos
assert repo.repo_id == 'acme/tiny' and repo.nb_files == 2, repo
print('huggingface_hub', h.__version__, 'reads what tandem pulled')
""".format(files=FILES)
FETCH = "import huggingface_hub as h; [h.hf_hub_download('acme/tiny', name) for name in {}]".format(FILES)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=Path, default=ROOT / "build/release/bin")
    bin_folder = parser.parse_args().bin.resolve()
    with tempfile.TemporaryDirectory() as folder:
        env = os.environ | {"PATH": f"{bin_folder}:{os.environ['PATH']}", "HF_HUB_DISABLE_XET": "1"}
        env.pop("HF_TOKEN", None)

        def run(*command, home):
            return subprocess.run([str(word) for word in command], cwd=folder, env=env | {"HF_HOME": home}, check=True,
                                  capture_output=True, text=True).stdout.strip()

        run(bin_folder / "make_model", "tiny", home="a")
        run(*HUB, "--", "tandem", "pull", "hf-hub:acme/tiny", home="a")
        print(run(sys.executable, "-c", READ, home="a"))
        run(*HUB, "--", sys.executable, "-c", FETCH, home="b")
        print("tandem finds what huggingface_hub fetched:", run("tandem", "pull", "hf-hub:acme/tiny", "--offline", home="b"))
        log = Path(folder) / "log"
        run(*HUB, "--log", log, "--", "tandem", "pull", "hf-hub:acme/tiny", home="b")
        assert "cdn" not in log.read_text(), "tandem fetched what was there"


if __name__ == "__main__":
    main()
