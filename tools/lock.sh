#!/bin/sh
# Rewrites the lock files from pyproject.toml: names, versions and hashes, no addresses. Needs uv.
set -eu
cd "$(dirname "$0")/.."
compile() {
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-header --no-annotate "$@"
}
compile pyproject.toml --group build --output-file requirements/base.lock
compile pyproject.toml --group dev --constraints requirements/base.lock \
    --output-file requirements/dev.lock
