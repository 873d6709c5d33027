"""What the guide says of TLS and SASL, word for word, on a broker that is set up by it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import Cluster
from jvm import jars
from network import HOST, free_ports

from documents import ROOT, WITH_TLS, Workplace, blocks

GUIDE = ROOT / "docs" / "kafka_guide.md"
TOOL = '#!/bin/sh\nexec java -cp "{jars}/*" kafka.admin.ConfigCommand "$@"\n'


class Site:
    """A workplace beside a broker of its own, where the names of the guide are other ones."""

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        self.cluster, self.folder = cluster, folder
        (self.port,) = free_ports(1)
        tool = folder / "kafka-configs.sh"
        tool.write_text(TOOL.format(jars=jars()))
        tool.chmod(0o755)
        self.place = Workplace(folder, cluster.bootstrap_servers, KAFKA_PASSWORD="s3cret")
        self.place.own_environment["PATH"] += f":{folder}"
        del self.place.own_environment["CHURNSTREAM_KAFKA__BROKERS"]

    def here(self, text: str) -> str:
        """A piece of the guide with our names and places."""
        for there, ours in (
            ("0.0.0.0:9093", f"{HOST}:{self.port}"),
            ("kafka-1.example.com:9093", f"localhost:{self.port}"),
            ("kafka-1.example.com", "localhost"),
            ("/etc/ssl/certs/", f"{self.folder}/"),
            ("/etc/kafka/", f"{self.folder}/"),
        ):
            text = text.replace(there, ours)
        return text

    def secure(self, properties: str) -> None:
        """Add the properties to those of the broker, and start it again with them."""
        file = self.cluster.folder / "node-1" / "server.properties"
        before = dict(line.partition("=")[::2] for line in file.read_text().splitlines())
        before["advertised.listeners"] = f"BROKER://{self.cluster.bootstrap_servers}"
        for line in self.here(properties).splitlines():
            name, _, value = line.partition("=")
            before[name] = value.replace("…", before.get(name, ""))
        lines = (f"{name}={value}\n" for name, value in before.items() if value)
        file.write_text("".join(lines))
        self.cluster.restart(1)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A broker that can be changed, since no other test has it."""
    with Cluster() as cluster:
        yield Site(tmp_path, cluster)


def test_tls_and_sasl(site: Site) -> None:
    """From the certificate to the audit, who follows the guide gets to a secured flow."""
    (properties,) = blocks(GUIDE, "properties")
    (settings,) = blocks(GUIDE, "yaml")
    certificate, *rest = [block.text for block in blocks(GUIDE) if block.mark == WITH_TLS]

    site.place.type(site.here(certificate))
    site.secure(properties.text)
    (site.folder / "config.yaml").write_text(site.here(settings.text))
    for text in rest:
        site.place.type(site.here(text))
    with pytest.raises(AssertionError):
        site.place.type("churnstream topics describe -X sasl.password=wrong --startup-timeout 3")
