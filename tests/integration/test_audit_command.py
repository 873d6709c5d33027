"""`churnstream audit` on a topic that is partly scored."""

import json

from builders import event_json
from integration.flow import Flow, Sent

KEY = b"7590-VHVEG"


def test_audit(flow: Flow) -> None:
    """It counts what is in flight, then one outcome for each event, broken ones included."""
    flow.send([*[Sent(event_json(), KEY, 2)] * 4, Sent(b"no JSON", KEY, 1)])
    waiting = flow.run("audit")
    assert (waiting.code, "5 still in flight" in waiting.out) == (1, True)
    assert flow.run("audit", "--in-flight-ok").code == 0

    flow.consume()

    scored = flow.run("audit")
    assert (scored.code, "each of 5 events has exactly one outcome" in scored.out) == (0, True)
    verdict = json.loads(flow.run("audit", "--json").out)
    assert (verdict["complete"], verdict["events"], verdict["lost"]) == (True, 5, 0)
    assert [row["dead_letters"] for row in verdict["partitions"]] == [0, 1, 0]
