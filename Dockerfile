# Built in one stage, run in another that has neither sources nor tools to build or install with.
# To pin the base, name it by its digest; docs/containers.md has the command that tells it.
ARG PYTHON=python:3.11-slim
# What is in it: image.lock consumes and shows the live page; train.lock trains besides, and sends files.
ARG LOCK=image.lock

FROM ${PYTHON} AS build
ARG LOCK
WORKDIR /build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# Process number 1: passes signals on and clears away processes that nobody waits for.
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends tini >/dev/null
# What runs and what builds are two environments; only the first leaves this stage.
RUN python -m venv --without-pip /opt/churnstream && python -m venv /opt/build
# The dependencies first: they change less often than the sources, and are the large part.
COPY requirements/${LOCK} requirements/build.lock ./
RUN pip --python /opt/churnstream/bin/python install --no-deps --require-hashes -r ${LOCK}
RUN /opt/build/bin/pip install --no-deps --require-hashes -r build.lock
# What only developers of these libraries read: their tests, headers and sources of compiled code,
# and of Arrow what speaks over a network: Flight, and S3.
RUN cd /opt/churnstream/lib/python3*/site-packages \
    && find . -type d -name tests -prune -exec rm -r {} + \
    && find . -type f -regex '.*\.\(pyi\|pyx\|pxd\|pxi\|h\|hpp\|c\|cc\|cpp\)' -delete \
    && rm -r pyarrow/include pyarrow/src \
    && rm pyarrow/*flight* pyarrow/*s3*
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist .
RUN pip --python /opt/churnstream/bin/python install --no-deps --no-index dist/*.whl

FROM ${PYTHON}
# The folders that are mounted belong to whoever writes into them; a new volume takes that over.
RUN useradd --uid 10001 --create-home --home-dir /app churnstream \
    && install -d -o churnstream -g churnstream /app/models /app/reports /app/.churnstream \
    && pip uninstall --yes --root-user-action ignore wheel setuptools pip \
    && rm -r "$(python -c 'import ensurepip; print(*ensurepip.__path__)')"
COPY --from=build /usr/bin/tini-static /usr/bin/tini
COPY --from=build /opt/churnstream /opt/churnstream
ENV PATH=/opt/churnstream/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /app
# By number, so that a cluster that wants to can see that it is not root.
USER 10001
ENTRYPOINT ["tini", "--"]
CMD ["churnstream", "--help"]
ARG REVISION=unknown
LABEL org.opencontainers.image.title="churnstream" \
      org.opencontainers.image.description="Scores customers for churn as their events pass through Kafka, each event exactly once." \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}"
