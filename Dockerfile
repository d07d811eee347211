# The image: a virtual environment of pinned, hashed packages and the exporter's own source, on a slim Python; nothing else.
#
#   docker build --build-arg REVISION="$(git rev-parse --short HEAD)" -t vault-eso-exporter:0.1.0 .
#
# Every step is executed by tests/lab/test_image.py in a clean prefix. Nothing that runs needs a shell: entry point, command
# and health check are lists. It writes nowhere, so it runs with a read-only root file system.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
COPY requirements/runtime.txt /build/runtime.txt
# pip stays in this stage: the environment has none. Wheels only, so that nobody's setup.py runs. The lock holds isal as well.
RUN python -m venv --without-pip /app
RUN python -m pip --python /app/bin/python install --no-cache-dir --no-compile --disable-pip-version-check --root-user-action=ignore --only-binary=:all: --no-deps --require-hashes --requirement /build/runtime.txt
COPY LICENSE deploy/sbom.cdx.json /app/share/vault-eso-exporter/
COPY deploy/image/vault-eso-exporter deploy/image/healthcheck /app/bin/
COPY exporter /app/src/exporter
# Compiled here, since the file system is read-only where it runs; by content, so that the same source gives the same files.
RUN /app/bin/python -m compileall -q --invalidation-mode unchecked-hash /app

FROM python:${PYTHON}-slim
ARG REVISION=
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="vault-eso-exporter" \
      org.opencontainers.image.description="Prometheus exporter that proves every Kubernetes Secret really comes from Vault through the External Secrets Operator" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/vault-eso-exporter/vault-eso-exporter" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# The last one: freed memory is overwritten, small pieces too (docs/security.md).
ENV PATH=/app/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/app/src \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    VAULT_ESO_EXPORTER_REVISION=${REVISION} \
    GLIBC_TUNABLES=glibc.malloc.tcache_count=0
COPY --from=build /app /app
# A number, so that Kubernetes can check runAsNonRoot without looking into the image.
USER 65532:65532
EXPOSE 10820
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["/app/bin/python", "/app/bin/healthcheck"]
ENTRYPOINT ["/app/bin/python", "-m", "exporter"]
CMD ["serve"]
