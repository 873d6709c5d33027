"""Runs the benchmark: `PYTHONPATH=kafka python -m benchmarks [--quick]`."""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import brokers
from benchmarks.bench import Bench
from benchmarks.check import slips
from benchmarks.parts import (
    formats,
    growth,
    latency,
    memory,
    partitions,
    peers,
    producer,
    scaling,
    schemas,
    startup,
    streaming,
    throughput,
)
from benchmarks.rounds import say
from churnstream.settings import ModelSettings, Settings

PARTS: dict[str, Callable[[Bench], Any]] = {
    "throughput": throughput.run,
    "producer": producer.run,
    "streaming": streaming.run,
    "schemas": schemas.run,
    "formats": formats.run,
    "peers": peers.run,
    "latency": latency.run,
    "startup": startup.run,
    "scaling": scaling.run,
    "growth": growth.run,
    "partitions": partitions.run,
    "memory": memory.run,
}
_QUICK = ("throughput", "producer")
_LIBRARIES = ("confluent-kafka", "msgspec", "numpy", "scikit-learn", "pandas", "pyarrow")


def main() -> None:
    """Measure what was asked for and write it to one JSON file."""
    options = _arguments().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("benchmark: ended by SIGTERM"))
    with (
        tempfile.TemporaryDirectory(prefix="churnstream-bench-") as folder,
        brokers.running(options.broker) as broker,
    ):
        bench = Bench(
            broker=broker,
            folder=Path(folder),
            model=_train(Path(folder) / "model"),
            peers=options.peers,
            repeats=options.repeats or (3 if options.quick else 5),
            events=options.events or (100_000 if options.quick else 600_000),
            quick=options.quick,
            memory_events=options.memory_events,
            warm_seconds=options.jvm_warmup,
        )
        found: dict[str, Any] = {}
        kept = read(options.output) if options.only else {"about": {}}
        for name in options.only or (_QUICK if options.quick else PARTS):
            say(f"== {name}")
            found[name] = PARTS[name](bench)
            kept |= {name: found[name], "about": kept["about"] | {name: about(bench)}}
            write(options.output, kept)
    if options.quick and (told := slips(found)):
        sys.exit("\n".join(told))


def read(path: Path) -> dict[str, Any]:
    """What other runs have measured: a run of some parts replaces these alone."""
    if not path.is_file():
        return {"about": {}}
    found: dict[str, Any] = msgspec.json.decode(path.read_bytes())
    return found


def write(path: Path, results: dict[str, Any]) -> None:
    """After each part: half an hour of measuring is not lost to what goes wrong in its end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--broker", choices=brokers.KINDS, default="kafka")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="less of everything, and exit 1 if a ratio slipped by half",
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, help="these parts [all]")
    parser.add_argument("--repeats", type=int, help="rounds [5, or 3]")
    parser.add_argument("--events", type=int, help="events of a fast run [600000, or 100000]")
    parser.add_argument(
        "--memory-events", type=int, default=10_000_000, help="of the long run [10000000]"
    )
    parser.add_argument(
        "--jvm-warmup",
        type=float,
        default=10.0,
        metavar="SECONDS",
        help="how long a Java peer runs before it is measured [10]",
    )
    parser.add_argument("--peers", help="the Python of the peers' environment [leave them out]")
    default = Path(__file__).with_name("results.json")
    parser.add_argument("--output", type=Path, default=default, help="the results, as JSON")
    return parser


def _train(folder: Path) -> Path:
    from churnstream.cli.train import train_and_save

    train_and_save(Settings(model=ModelSettings(path=str(folder))))
    return folder


def about(bench: Bench) -> dict[str, object]:
    """What the numbers of a part depend on."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "broker": bench.broker.name,
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "python_built": _built(),
        "libraries": {name: version(name) for name in _LIBRARIES},
        "rounds": bench.repeats,
        "events": bench.events,
    }


def _built() -> str:
    """Whether the interpreter was optimised by profiles, which is worth an eighth."""
    options = sysconfig.get_config_var("CONFIG_ARGS") or ""
    return "with profiles" if "--enable-optimizations" in options else "without profiles"


def _processor() -> str:
    with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()
