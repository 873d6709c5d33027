"""Builds wheel and sdist, and uses the wheel as somebody would who has nothing else.

    python tools/release_check.py

In empty environments, with the lowest versions that pyproject.toml allows and with the newest: the
demo, and a consumer without any extra that scores a small batch.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
RESOLUTIONS = ("lowest-direct", "highest")
MAX_CONSUMER = 250  # MB
BROKER_STARTS_WITHIN = 60  # seconds
EVENTS = 500


class Install:
    """An environment with the wheel and its dependencies, and a folder to run commands in."""

    def __init__(self, folder: Path, wheel: Path, resolution: str, extra: str = "") -> None:
        self._bin = folder / "bin"
        python = self._bin / "python"
        run("uv", "venv", "--quiet", "--python", sys.executable, folder)
        # By the file's dependencies: those of a wheel are not direct ones, so they would be new.
        wanted = ["-r", "pyproject.toml", *(["--extra", extra] if extra else [])]
        pip = ("uv", "pip", "install", "--quiet", "--system-certs", "--python", python)
        run(*pip, "--no-build", "--compile-bytecode", "--resolution", resolution, *wanted)
        run(*pip, "--no-deps", "--compile-bytecode", wheel)
        (packages,) = folder.glob("lib/python*/site-packages")
        files = [path.lstat().st_size for path in packages.rglob("*") if path.is_file()]
        self.size = round(sum(files) / 2**20)  # MB

    def churnstream(self, place: Path, *arguments: str) -> str:
        """What a command prints; it must succeed."""
        return run(self._bin / "churnstream", *arguments, cwd=place)

    @contextmanager
    def broker(self, place: Path) -> Iterator[str]:
        """The embedded broker on a free port; its address."""
        command = [str(self._bin / "churnstream"), "broker", "--port", "0"]
        process = subprocess.Popen(command, cwd=place, stdout=subprocess.PIPE, text=True)
        try:
            said = process.stdout.readline() if process.stdout else ""
            yield expected("broker ready at ", said).split(";")[0].split()[-1]
        finally:
            process.terminate()
            process.wait(BROKER_STARTS_WITHIN)


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """What a program prints; all of it is shown, and we end, if it fails."""
    words = [str(word) for word in command]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        words, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}release-check: {' '.join(words)} failed; see above")
    return done.stdout


def built() -> Path:
    """The wheel, made of the sdist, both as an index wants them."""
    shutil.rmtree(DIST, ignore_errors=True)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", DIST)
    files = sorted(DIST.iterdir())
    run(sys.executable, "-m", "twine", "check", "--strict", *files)
    for file in files:
        say(f"{file.name}, {file.stat().st_size / 1e6:.1f} MB")
    return next(DIST.glob("*.whl"))


def tried(wheel: Path, resolution: str) -> None:
    """Demo and consumer, in environments that are thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "place"
        place.mkdir()
        demo = Install(Path(folder) / "demo", wheel, resolution, "demo")
        begin = time.monotonic()
        printed = demo.churnstream(place, "demo")
        expected("7,043 scored", printed)
        say(f"{resolution}: demo in {time.monotonic() - begin:.0f} s, {demo.size} MB installed")
        consumer = Install(Path(folder) / "consumer", wheel, resolution)
        with demo.broker(place) as broker:
            at = ("--broker", broker)
            demo.churnstream(place, "produce", "--max-events", str(EVENTS), *at)
            consumer.churnstream(place, "consume", "--mode", "batch", *at)
            audited = consumer.churnstream(place, "audit", *at)
        expected(f"each of {EVENTS} events has exactly one outcome", audited)
        say(f"{resolution}: {EVENTS} events consumed without extras, {consumer.size} MB installed")
        if consumer.size > MAX_CONSUMER:
            sys.exit(
                f"release-check: a consumer's install is above {MAX_CONSUMER} MB; find what "
                "it does not need and move it to an extra of pyproject.toml"
            )


def expected(text: str, printed: str) -> str:
    """What was printed, if the text is in it; else all of it is shown, and we end."""
    if text not in printed:
        sys.exit(f"{printed}release-check: this should say: {text}")
    return printed


def say(what: str) -> None:
    """Tell the reader, at once."""
    print(what, flush=True)


def main() -> None:
    """Check all of it."""
    wheel = built()
    for resolution in RESOLUTIONS:
        tried(wheel, resolution)


if __name__ == "__main__":
    main()
