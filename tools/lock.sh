#!/bin/sh
# Rewrites the lock files from pyproject.toml: names, versions and hashes, no addresses. Needs uv.
set -eu
cd "$(dirname "$0")/.."
compile() {
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-header --no-annotate "$@"
}
# What the container image runs: a consumer and the live page; the other one trains besides.
compile pyproject.toml --extra dashboard --extra registry --output-file requirements/image.lock
compile pyproject.toml --extra dashboard --extra registry --extra train \
    --constraints requirements/image.lock --output-file requirements/train.lock
# Only what the container's wheel is built with: it stays out of what runs.
compile --group build --constraints requirements/train.lock --output-file requirements/build.lock
compile pyproject.toml --extra dashboard --extra demo --extra fast --extra plots --extra registry \
    --group dev \
    --constraints requirements/train.lock --constraints requirements/build.lock \
    --output-file requirements/dev.lock
# MLflow allows only older cachetools and pyarrow; all else is what the tests run with. shap comes along, to be
# tested with it.
others=$(mktemp)
trap 'rm -f "$others"' EXIT
sed -n 's/ *\\$//; /^\(cachetools\|pyarrow\)==/d; /^[a-zA-Z0-9]/p' requirements/dev.lock >"$others"
compile pyproject.toml --extra demo --extra mlflow --extra trees --group test --constraints "$others" \
    --output-file requirements/mlflow.lock
compile --group release --constraints requirements/dev.lock --output-file requirements/release.lock
compile pyproject.toml --group web --constraints requirements/dev.lock \
    --output-file requirements/web.lock
compile requirements/peers.in --output-file requirements/peers.lock
# Airflow runs beside the application, with the same versions of what both need.
compile --group airflow --constraints requirements/train.lock \
    --output-file requirements/airflow.lock
# What scores on Spark's workers is what the tests run with.
compile pyproject.toml --extra spark --group test --constraints requirements/dev.lock \
    --output-file requirements/spark.lock
# The site's reference is made from the package itself, with what the package is used with.
compile pyproject.toml --extra dashboard --extra train --group docs \
    --constraints requirements/train.lock \
    --constraints requirements/build.lock --output-file requirements/docs.lock
compile requirements/sbom.in --output-file requirements/sbom.lock
# What knows the resources of Kubernetes runs beside the tests.
compile --group helm --output-file requirements/helm.lock
