#!/bin/sh
# Rewrites the lock files from pyproject.toml: names, versions and hashes, no addresses. Needs uv.
set -eu
cd "$(dirname "$0")/.."
compile() {
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-header --no-annotate "$@"
}
compile pyproject.toml --output-file requirements/base.lock
# Only what the container's wheel is built with: it stays out of what runs.
compile --group build --constraints requirements/base.lock --output-file requirements/build.lock
compile pyproject.toml --extra plots --extra formats --group dev --constraints requirements/base.lock \
    --constraints requirements/build.lock \
    --output-file requirements/dev.lock
# MLflow allows only an older pyarrow; all else is what the tests run with. shap comes along, to be
# tested with it.
others=$(mktemp)
trap 'rm -f "$others"' EXIT
sed -n 's/ *\\$//; /^pyarrow==/d; /^[a-zA-Z0-9]/p' requirements/dev.lock >"$others"
compile pyproject.toml --extra mlflow --extra trees --group test --constraints "$others" \
    --output-file requirements/mlflow.lock
compile pyproject.toml --group web --constraints requirements/dev.lock \
    --output-file requirements/web.lock
# The peers load the very pipeline that churnstream trained, so what runs it has the same versions.
sed -n 's/ *\\$//; /^\(joblib\|numpy\|pandas\|scikit-learn\|scipy\|skops\)==/p' requirements/base.lock >"$others"
compile requirements/peers.in --constraints "$others" --output-file requirements/peers.lock
# Airflow runs beside the application, with the same versions of what both need.
compile --group airflow --constraints requirements/base.lock \
    --output-file requirements/airflow.lock
# What knows the resources of Kubernetes runs beside the tests.
compile --group helm --output-file requirements/helm.lock
