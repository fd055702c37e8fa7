"""Fetches browser files from npm, unmodified, as listed in a manifest.

By default, it fetches and verifies the files. `--update` writes their hashes into the manifest, for a new
version or file. `--check` compares the files on disk with the manifest, without network access.
"""
# ruff: noqa: INP001, T201 - a script, not a package; it prints its results.

import argparse
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TypedDict

FOLDER = Path(__file__).parents[1] / "src/deepaas/http/static/vendor"
MANIFEST = "manifest.json"
LICENCES = {"LICENSE", "LICENSE.md"}


class VendorError(Exception):
    """Fetched files, or files on disk, do not match the manifest."""


class Package(TypedDict):
    """One entry of the manifest; `files` maps a path in the package to its SHA-256 in hex."""

    package: str
    version: str
    licence: str
    files: dict[str, str]


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return the exit code."""
    options = _parser().parse_args(arguments)
    packages = read_manifest(options.folder)
    try:
        if options.check:
            check(options.folder, packages)
        else:
            vendor(options.folder, packages, update=options.update)
    except VendorError as error:
        print(f"vendor: {error}", file=sys.stderr)
        return 1
    return 0


def read_manifest(folder: Path) -> list[Package]:
    """Return the manifest's entries."""
    packages: list[Package] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return packages


def check(folder: Path, packages: list[Package]) -> None:
    """Compare the folder with the manifest; VendorError lists missing, changed and extra files."""
    listed = {
        folder / package["package"] / name: digest
        for package in packages
        for name, digest in package["files"].items()
    }
    found = {path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST}
    problems = [f"{path} is missing" for path in sorted(listed.keys() - found)]
    problems += [f"{path} is not in the manifest" for path in sorted(found - listed.keys())]
    problems += [
        f"{path} was changed"
        for path in sorted(found & listed.keys())
        if digest_of(path.read_bytes()) != listed[path]
    ]
    problems += [
        f"{each['package']} has no LICENSE" for each in packages if not LICENCES & each["files"].keys()
    ]
    if problems:
        raise VendorError("; ".join(problems) + ". Run `make vendor`.")


def vendor(folder: Path, packages: list[Package], *, update: bool) -> None:
    """Fetch every package and write its files; with `update`, also write their hashes into the manifest."""
    for package in packages:
        contents = fetch(package)
        digests = {name: digest_of(content) for name, content in contents.items()}
        if not update:
            verify(package, digests)
        package["files"] = digests
        write(folder / package["package"], contents)
        print(f"{package['package']} {package['version']}: {len(contents)} files")
    if update:
        (folder / MANIFEST).write_text(json.dumps(packages, indent=2) + "\n", encoding="utf-8")


def fetch(package: Package) -> dict[str, bytes]:
    """Return the contents of the package's listed files from npm; VendorError if one is missing."""
    wanted = f"{package['package']}@{package['version']}"
    with tempfile.TemporaryDirectory() as scratch:
        command = ["npm", "pack", "--silent", "--pack-destination", scratch, wanted]
        # The name and version come from our own manifest.
        packed = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)  # noqa: S603
        if packed.returncode:
            raise VendorError(f"npm could not fetch {wanted}; its error message is above.")
        (archive,) = Path(scratch).glob("*.tgz")
        return unpack(archive, package)


def unpack(archive: Path, package: Package) -> dict[str, bytes]:
    """Return the contents of the listed files; VendorError if one is missing or the licence differs."""
    names = ["package.json", *package["files"]]
    with tarfile.open(archive) as tar:
        members = {member.name.partition("/")[2]: member for member in tar if member.isfile()}
        missing = [name for name in names if name not in members]
        if missing:
            raise VendorError(f"{package['package']} {package['version']} has no {', '.join(missing)}.")
        contents = {name: _content(tar, members[name]) for name in names}
    licence = json.loads(contents["package.json"])["license"]
    if licence != package["licence"]:
        raise VendorError(
            f"{package['package']} is under {licence}, but the manifest has {package['licence']}."
        )
    return {name: contents[name] for name in package["files"]}


def verify(package: Package, digests: dict[str, str]) -> None:
    """Compare fetched files with the manifest; VendorError names those that differ."""
    changed = [name for name, digest in digests.items() if digest != package["files"][name]]
    if changed:
        raise VendorError(
            f"{package['package']} {package['version']}: {', '.join(changed)} differ from the manifest. "
            "If the version in it was just changed, run `python tools/vendor.py --update`."
        )


def write(folder: Path, contents: dict[str, bytes]) -> None:
    """Write the files below `folder`."""
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of `content` in hex."""
    return hashlib.sha256(content).hexdigest()


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    """Return the content of a plain file in the archive."""
    file = tar.extractfile(member)
    assert file is not None, f"{member.name} is a plain file"
    with file:
        return file.read()


def _parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description="Fetch the browser files named in the manifest from npm.")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the manifest and the files are")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--update", action="store_true", help="write the hashes of fetched files")
    mode.add_argument("--check", action="store_true", help="only compare the files on disk")
    return parser


if __name__ == "__main__":
    sys.exit(main())
