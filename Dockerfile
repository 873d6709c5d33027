# Built in one stage, run in another that has neither sources nor tools to build or install with.
FROM python:3.11-slim AS build
WORKDIR /build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# What runs and what builds are two environments; only the first leaves this stage.
RUN python -m venv --without-pip /opt/churnstream && python -m venv /opt/build
# The dependencies first: they change less often than the sources, and are the large part.
COPY requirements/image.lock requirements/build.lock ./
RUN pip --python /opt/churnstream/bin/python install --no-deps --require-hashes -r image.lock
RUN /opt/build/bin/pip install --no-deps --require-hashes -r build.lock
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist .
RUN pip --python /opt/churnstream/bin/python install --no-deps --no-index dist/*.whl

FROM python:3.11-slim
RUN useradd --uid 10001 --create-home --home-dir /app churnstream \
    && install -d -o churnstream -g churnstream /app/models \
    && pip uninstall --yes --root-user-action ignore wheel setuptools pip \
    && rm -r /usr/local/lib/python3.11/ensurepip
COPY --from=build /opt/churnstream /opt/churnstream
ENV PATH=/opt/churnstream/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /app
# By number, so that a cluster that wants to can see that it is not root.
USER 10001
CMD ["churnstream", "--help"]
