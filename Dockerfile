# One image for `recsys serve` and `recsys nightly`; with a GPU: --build-arg LOCK=requirements/cuda.txt
FROM python:3.11-slim AS packages
ARG LOCK=requirements/cpu.txt
ARG PIP_EXTRA_INDEX_URL
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PATH=/opt/recsys/bin:$PATH
RUN python -m venv /opt/recsys
WORKDIR /src
# As in the Makefile: torch first and with its own dependencies, the rest exactly as locked. Without
# a GPU, from torch's own index: pip takes its VERSION+cpu for newer than PyPI's, which is for CUDA.
COPY requirements requirements
RUN if [ "$LOCK" = requirements/cpu.txt ]; then \
        export PIP_EXTRA_INDEX_URL="${PIP_EXTRA_INDEX_URL:-https://download.pytorch.org/whl/cpu}"; \
    fi; \
    pip install $(grep -E '^(torch|setuptools|numpy)==' "$LOCK") \
    && pip install --no-deps -r "$LOCK"
COPY pyproject.toml README.md LICENSE ./
COPY proto proto
COPY recsys recsys
COPY pipelines pipelines
RUN pip install --no-deps --no-build-isolation .

FROM python:3.11-slim
# libgomp: lightgbm needs the system's
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home recsys \
    && install -d -o recsys -g recsys /var/lib/recsys
COPY --from=packages /opt/recsys /opt/recsys
ENV PATH=/opt/recsys/bin:$PATH PYTHONUNBUFFERED=1
USER recsys
WORKDIR /var/lib/recsys
EXPOSE 50051 9100
ENTRYPOINT ["recsys"]
CMD ["serve"]
