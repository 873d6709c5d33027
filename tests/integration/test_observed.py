"""Metrics and health of real processes on the embedded broker."""

import urllib.error
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from churnstream.testing.embedded import HOST, free_port
from integration.flow import Flow, Sent, error_in, until


def get(port: int, path: str) -> tuple[int, str]:
    """Status and body of an answer; 0 where nobody listens yet."""
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def samples(port: int) -> dict[str, float]:
    """Metrics by name, with the value of their label if they have one."""
    return {
        ":".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(get(port, "/metrics")[1])
        for sample in family.samples
    }


def test_a_pipeline_tells_what_it_does(flow: Flow) -> None:
    """Consumer and producer get ready, count what the topics hold, and end when they are told."""
    mine, theirs = free_port(), free_port()
    flow.send([Sent(b"no JSON", b"k")])
    with (
        flow.process("consume", "--metrics-port", mine) as consumer,
        flow.process(
            "produce --events-per-sec 200 --duration 30", "--metrics-port", theirs
        ) as producer,
    ):
        until(lambda: get(mine, "/readyz")[0] == 200)
        until(lambda: get(theirs, "/readyz")[0] == 200)
        assert get(mine, "/livez") == (200, "ok\n")
        producer.popen.terminate()
        assert producer.wait() == 0
        sent = len(flow.events())
        read = f"messaging_client_consumed_messages_total:{flow.settings.topics.input}"
        until(lambda: samples(mine).get(read) == sent)
        until(lambda: sum(v for k, v in samples(mine).items() if "consumer_lag" in k) == 0)
        found = samples(mine)
        consumer.popen.terminate()
        assert consumer.wait() == 0
    assert found["churnstream_dead_letters_total:not_json"] == 1
    assert found["churnstream_event_latency_seconds_count"] == sent - 1
    assert found[f"messaging_client_sent_messages_total:{flow.settings.topics.output}"] == sent - 1
    assert "events_scored" in consumer.err


def test_a_port_that_is_taken_is_named(flow: Flow) -> None:
    """A port that somebody else has is wrong use, in one line."""
    port = free_port()
    with flow.process("consume", "--metrics-port", port) as consumer:
        until(lambda: get(port, "/livez")[0] != 0)
        ran = flow.run("consume", "--metrics-port", port)
        consumer.popen.terminate()
        consumer.wait()
    assert ran.code == 2
    assert f"127.0.0.1:{port}" in error_in(ran.err)
