# The program, and the simulated provider for those who only try it.
#
#   docker build -t cliproxy .
#   docker run --rm -p 127.0.0.1:8317:8317 -e OPENAI_API_KEY cliproxy \
#     serve --data-dir /var/lib/cliproxy --listen 0.0.0.0:8317 --set server.allow_anonymous=true
#
# Whoever reaches the published port comes from another address than the loopback one, hence allow_anonymous.
FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
RUN cargo build --release --locked --package cliproxy --package cliproxy-mock-provider

FROM debian:bookworm-slim
# What the program keeps, and the certificates, belong to a user of its own; a new volume takes its owner from here.
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin cliproxy \
    && install --directory --owner cliproxy --group cliproxy --mode 0700 /var/lib/cliproxy /etc/cliproxy/certificates
COPY --from=build /source/target/release/cliproxy /source/target/release/mock-provider /usr/local/bin/
USER 10001
WORKDIR /var/lib/cliproxy
# Clients; operators and nodes of a control plane.
EXPOSE 8317 8318 8319
ENTRYPOINT ["cliproxy"]
CMD ["serve", "--data-dir", "/var/lib/cliproxy", "--listen", "0.0.0.0:8317"]
HEALTHCHECK --interval=5s --timeout=6s --start-period=10s CMD ["cliproxy", "healthcheck"]
