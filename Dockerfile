# syntax=docker/dockerfile:1

FROM rust:1-bookworm AS build
WORKDIR /source
COPY . .
# The target folder is a cache of the builder; the binary is copied out of it.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --locked --profile dist --package pulso \
    && cp target/dist/pulso /usr/local/bin/pulso \
    && pulso --version

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="Pulso" \
      org.opencontainers.image.description="Multi-tenant GraphQL server for CRM and analytics" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"

RUN groupadd --gid 10001 pulso \
    && useradd --uid 10001 --gid pulso --no-create-home --home-dir /data --shell /usr/sbin/nologin pulso \
    && install --directory --owner pulso --group pulso --mode 0750 /data
# For TLS to a database or a webhook's receiver.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /usr/local/bin/pulso /usr/local/bin/pulso

USER pulso
WORKDIR /data
VOLUME /data
EXPOSE 8000

ENV PULSO_HOST=0.0.0.0 \
    PULSO_PORT=8000 \
    PULSO_LOG_FORMAT=json

# Ready means: the database answers and no migration is pending.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["/bin/bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/$PULSO_PORT && printf 'GET /readyz HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]

STOPSIGNAL SIGTERM
ENTRYPOINT ["pulso"]
CMD ["serve"]
