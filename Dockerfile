FROM python:3.11-slim AS build
WORKDIR /src
COPY requirements/runtime.txt requirements/
RUN python -m venv /opt/sync-server \
    && /opt/sync-server/bin/pip install --no-cache-dir -r requirements/runtime.txt
COPY . .
RUN /opt/sync-server/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /data sync-server \
    && install -d -o sync-server -g sync-server -m 700 /data
COPY --from=build /opt/sync-server /opt/sync-server
ENV PATH=/opt/sync-server/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    SYNC_SERVER_DATA_DIR=/data \
    SYNC_SERVER_BIND=0.0.0.0:5984
USER sync-server
VOLUME /data
EXPOSE 5984
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s CMD \
    ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:5984/healthz', timeout=8)"]
CMD ["sync-server", "serve"]
