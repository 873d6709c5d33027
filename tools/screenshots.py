"""Takes the pictures of the documents: a real flow, a real browser, nothing by hand.

Needs Chromium (Debian's package) and what requirements/web.lock holds; run by `make screenshots`.
"""

import contextlib
import json
import os
import pty
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from builders import TELCO, decode_prediction, telco_rows
from churnstream.codecs.event_encoder import encode_events
from churnstream.connection_settings import KafkaSettings
from churnstream.kafka.admin import Admin
from churnstream.kafka.scan import Scan
from churnstream.kafka.writer import Writer
from churnstream.settings import TopicSettings
from churnstream.testing.broken_records import broken_records
from churnstream.testing.embedded import HOST, embedded_broker, free_port

FOLDER = Path(__file__).parents[1] / "docs" / "kafka_screenshots"
PROGRAM = Path(sys.executable).with_name("churnstream")
TOPICS = TopicSettings()
_FLOWS_FOR = 110  # seconds before the pictures of the live page, so that its charts show something
_JOINS_WITHIN = 10  # seconds until a consumer reads
_TERMINAL = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; padding: 28px; background: #10151b; display: inline-block; }}
section {{ background: #1b222b; border-radius: 10px; padding: 14px 22px 20px; width: max-content; }}
section::before {{ content: "● ● ●"; color: #4a5665; font-size: 13px; letter-spacing: 3px; }}
pre {{ margin: 10px 0 0; font: 14px/1.45 "DejaVu Sans Mono", monospace; color: #e7ecf2; }}
</style><section><pre>{}</pre></section>"""


class Stage:
    """A broker, and commands that work on it."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder, self.address = folder, address
        self._environment = {
            **os.environ,
            "CHURNSTREAM_KAFKA__BROKERS": address,
            "COLUMNS": "100",
            "TERM": "xterm-256color",
        }

    def run(self, *command: str) -> str:
        """Run a command as in a terminal, and return what that shows."""
        mine, theirs = pty.openpty()
        with subprocess.Popen(
            [PROGRAM, *command],
            cwd=self.folder,
            env=self._environment,
            stdout=theirs,
            stderr=subprocess.DEVNULL,
        ):
            os.close(theirs)
            shown = b""
            with contextlib.suppress(OSError):  # the end of a terminal is an error
                while piece := os.read(mine, 65536):
                    shown += piece
        os.close(mine)
        return shown.decode().replace("\r\n", "\n")

    @contextlib.contextmanager
    def running(self, *command: str) -> Iterator[None]:
        """Run a command for the length of a with-block."""
        with (self.folder / f"{command[0]}.log").open("wb") as log:
            process = subprocess.Popen(
                [PROGRAM, *command],
                cwd=self.folder,
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        try:
            yield
        finally:
            process.terminate()
            process.wait(20)

    def send_broken(self) -> None:
        """Send one record of each broken kind."""
        first = encode_events(next(telco_rows().batches(1)), TELCO, datetime.now(UTC)).values[0]
        writer = Writer(KafkaSettings(brokers=self.address))
        records = broken_records(TELCO, json.loads(first))
        writer.send(TOPICS.input, [{"key": one.key, "value": one.value} for one in records])
        writer.flush()


def terminal(browser: Browser, name: str, command: str, shown: str) -> None:
    """A picture of a terminal in which a command was typed."""
    console = Console(record=True, width=100, file=open(os.devnull, "w"), force_terminal=True)  # noqa: SIM115, PTH123
    console.print(Text(f"$ {command}", "bold"))
    console.print(Text.from_ansi(shown.rstrip()))
    html = console.export_html(theme=MONOKAI, inline_styles=True, code_format="{code}")
    page = browser.new_page(viewport={"width": 1100, "height": 600}, device_scale_factor=1.5)
    page.set_content(_TERMINAL.format(html))
    page.locator("body").screenshot(path=FOLDER / f"{name}.png")
    page.close()


def picture(
    browser: Browser,
    name: str,
    url: str,
    *,
    width: int = 1280,
    height: int = 900,
    scheme: str = "light",
) -> None:
    """A picture of a page, as it is when it has been open for some seconds."""
    page: Page = browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        device_scale_factor=2 if width < 500 else 1,  # noqa: PLR2004
    )
    page.goto(url)
    page.wait_for_timeout(3000)
    page.screenshot(path=FOLDER / f"{name}.png")
    page.close()


def batch(stage: Stage, browser: Browser) -> None:
    """The file and its report: both ends in a terminal, and the page that they leave."""
    produce, consume = "produce --mode batch", "consume --mode batch"
    stage.send_broken()
    terminal(browser, "terminal-produce", f"churnstream {produce}", stage.run(*produce.split()))
    terminal(browser, "terminal-consume", f"churnstream {consume}", stage.run(*consume.split()))
    report = (stage.folder / "reports" / "summary.html").as_uri()
    picture(browser, "report-light", report, height=1100)
    picture(browser, "report-dark", report, height=1100, scheme="dark")
    picture(browser, "report-phone", report, width=390, height=844)


def stream(stage: Stage, browser: Browser) -> None:
    """The live page over a stream that begins with nothing."""
    ports = [str(free_port()) for _ in range(3)]
    scrape = ",".join(f"{HOST}:{port}" for port in ports[1:])
    with (
        stage.running("consume", "--metrics-port", ports[1]),
        stage.running("dashboard", "--port", ports[0], "--scrape", scrape),
        contextlib.ExitStack() as later,
    ):
        time.sleep(_JOINS_WITHIN)
        rate = ("--events-per-sec", "150", "--metrics-port", ports[2])
        later.enter_context(stage.running("produce", *rate))
        time.sleep(_FLOWS_FOR / 2)
        stage.send_broken()
        time.sleep(_FLOWS_FOR / 2)
        live(browser, f"http://{HOST}:{ports[0]}/", scored_most(stage.address))


def scored_most(address: str) -> str:
    """The customer at risk whose history is longest."""
    kafka = KafkaSettings(brokers=address)
    admin = Admin(kafka)
    records = Scan(
        kafka,
        TOPICS.output,
        admin.earliest_offsets(TOPICS.output),
        admin.latest_offsets(TOPICS.output),
    )
    made = (decode_prediction(record.value() or b"") for batch in records for record in batch)
    times = Counter(one.customerID for one in made if one.prediction == "Yes")
    return str(times.most_common(1)[0][0])


def live(browser: Browser, page: str, customer: str) -> None:
    """The live page: both readers, both themes, a phone, and the records of each topic."""
    picture(browser, "live-customers-light", page, height=1000)
    picture(browser, "live-customers-dark", page, height=1000, scheme="dark")
    picture(browser, "live-customers-phone", page, width=390, height=844)
    picture(browser, "live-customer", f"{page}?customer={customer}#customer")
    picture(browser, "live-pipeline-light", f"{page}?view=pipeline", height=1080)
    picture(browser, "live-pipeline-dark", f"{page}?view=pipeline", height=1080, scheme="dark")
    picture(browser, "live-pipeline-phone", f"{page}?view=pipeline", width=390, height=844)
    for name, topic, place in (
        ("topic-customers", TOPICS.input, "&partition=0&offset=5"),
        ("topic-predictions", TOPICS.output, "&partition=0&offset=5"),
        ("topic-deadletter", TOPICS.deadletter, ""),
    ):
        picture(browser, name, f"{page}?view=records&topic={topic}{place}")


def main() -> None:
    """Take them all."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("chromium is missing: apt-get install chromium")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for scene in (batch, stream):
            with embedded_broker() as address:
                stage = Stage(Path(folder), address)
                stage.run("topics", "create")
                stage.run("train")
                scene(stage, browser)
    for path in sorted(FOLDER.glob("*.png")):
        print(f"{path.relative_to(Path.cwd())} {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
