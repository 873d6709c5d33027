"""The live page as a process: served, pushed, guarded, and ended."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import psutil

from churnstream.testing.embedded import HOST, free_port
from integration.flow import Flow, Sent, until, value_of


def get(port: int, path: str = "/", **headers: str) -> tuple[int, str]:
    """Status and body of an answer; 0 where nobody listens yet."""
    request = urllib.request.Request(f"http://{HOST}:{port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def pushed(port: int, query: str = "") -> Iterator[dict[str, str]]:
    """The pieces that the server pushes, one push after the other."""
    with urllib.request.urlopen(f"http://{HOST}:{port}/changes{query}", timeout=20) as stream:
        for line in stream:
            if line.startswith(b"data: "):
                yield json.loads(line.removeprefix(b"data: "))


def test_the_page_follows_the_topics(flow: Flow) -> None:
    """What is scored while the page is open is pushed to it, and its totals are the topics'."""
    port = free_port()
    flow.run("produce --mode batch")
    flow.send([Sent(b"no JSON", b"k")])
    with flow.process("dashboard", "--port", port) as page:
        until(lambda: get(port)[0] == 200)
        pushes = pushed(port)
        assert "No customer is scored yet" in next(pushes)["headline"]
        flow.consume()
        for push in pushes:
            if "Of 7,043 customers" in push.get("headline", ""):
                break
        until(lambda: "7,044 in the topic" in get(port, "/?view=pipeline")[1])
        until(lambda: "7,043 in the topic" in get(port, "/?view=pipeline")[1])
        assert "not json" in get(port, "/?view=pipeline")[1]
        page.popen.terminate()
        assert page.wait() == 0


def test_single_records_can_be_looked_at(flow: Flow) -> None:
    """A record is shown whole, and an offset without one is named."""
    port = free_port()
    ((partition, offset),) = flow.send([Sent(b'{"a": 1}', b"some-key")])
    query = f"/?view=records&topic={flow.settings.topics.input}&partition={partition}"
    with flow.process("dashboard", "--port", port):
        until(lambda: "some-key" in get(port, query)[1])
        assert "&#34;a&#34;: 1" in get(port, f"{query}&offset={offset}")[1]
        assert "There is no record at this offset" in get(port, f"{query}&offset=99")[1]
    assert value_of(flow.events()[0]) == b'{"a": 1}'


def test_another_address_asks_for_the_token(flow: Flow) -> None:
    """Outside of this machine the page needs the token that was printed."""
    port = free_port()
    with flow.process("dashboard --host 0.0.0.0", "--port", port) as page:
        until(lambda: get(port)[0] == 401)
        token = page.out.partition("token=")[2].partition(";")[0]
        assert get(port, "/", Cookie=f"churnstream={token}")[0] == 200
        assert get(port, "/changes", Cookie="churnstream=guess")[0] == 401


def test_the_page_gives_way(flow: Flow) -> None:
    """Where processors are short, those come first whom it shows."""
    with flow.process("dashboard --port 0") as page:
        until(lambda: page.says("the page is at"))
        until(lambda: psutil.Process(page.popen.pid).nice() == 19)


def test_a_page_without_a_broker_says_so(flow: Flow, free_address: str) -> None:
    """The page is served at once and tells what is missing."""
    port = free_port()
    with flow.process("dashboard", "--broker", free_address, "--port", port):
        until(lambda: "no broker answered" in get(port)[1])
        ran = flow.run("dashboard", "--port", port)
    assert ran.code == 2
    assert f"127.0.0.1:{port}" in ran.error
