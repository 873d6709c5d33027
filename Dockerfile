# Built in one stage, run in another that has neither sources nor build tools of its own.
FROM python:3.11-slim AS build
WORKDIR /build
RUN python -m venv /opt/churnstream
ENV PATH=/opt/churnstream/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# The dependencies first: they change less often than the sources, and are the large part.
COPY requirements/base.lock ./
RUN pip install --no-deps --require-hashes -r base.lock
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN pip install --no-deps --no-build-isolation .

FROM python:3.11-slim
RUN useradd --uid 10001 --create-home --home-dir /app churnstream \
    && install -d -o churnstream -g churnstream /app/models
COPY --from=build /opt/churnstream /opt/churnstream
ENV PATH=/opt/churnstream/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /app
# By number, so that a cluster that wants to can see that it is not root.
USER 10001
CMD ["churnstream", "--help"]
