# The image of every process of Orderloom; the command says which: worker, relay, api, gateway, migrate.
# It holds no server, no development tool and no uv, runs as a user without rights, and needs no network but its servers.

FROM python:3.13.16-slim-trixie AS build

ENV UV_PYTHON_DOWNLOADS=never \
    UV_PROJECT_ENVIRONMENT=/opt/orderloom \
    UV_LINK_MODE=copy \
    UV_COMPILE_BYTECODE=1
RUN pip install --no-cache-dir --disable-pip-version-check uv==0.13.9
WORKDIR /src
# The packages first: their layer stays as long as the lock does.
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-default-groups --no-install-project
COPY . .
RUN uv sync --frozen --no-default-groups --no-editable

FROM python:3.13.16-slim-trixie

RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin orderloom \
    && install --directory --owner=orderloom --group=orderloom --mode=700 /var/lib/orderloom
COPY --from=build /opt/orderloom /opt/orderloom
ENV PATH=/opt/orderloom/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    ORDERLOOM_DATA_DIR=/var/lib/orderloom
USER orderloom
WORKDIR /var/lib/orderloom
ENTRYPOINT ["orderloom"]
CMD ["--help"]
