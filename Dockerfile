# syntax=docker/dockerfile:1
# One node, keeper or tool in a container: docker build --tag tessera:0.1.0 .
# Nothing is fetched but Debian's packages and what Cargo.lock names. Pin both images by digest where they come from a registry of
# yours: --build-arg RUST_IMAGE=…@sha256:… --build-arg DEBIAN_IMAGE=…@sha256:…
ARG RUST_IMAGE=rust:1.95-slim-bookworm
ARG DEBIAN_IMAGE=debian:bookworm-slim

FROM ${RUST_IMAGE} AS build
# BUILD_NEEDS of the Makefile; a test holds the two equal.
RUN apt-get update -q && apt-get install -q -y --no-install-recommends \
        cmake nasm perl pkg-config gcc g++ libc6-dev libdav1d-dev libssl-dev libvpx-dev protobuf-compiler \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# Of two builds of one commit the same bytes come out: no path of the machine, no time.
ARG SOURCE_DATE_EPOCH=0
ENV SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH} CARGO_INCREMENTAL=0 RUSTFLAGS="--remap-path-prefix=/src=tessera --remap-path-prefix=/usr/local/cargo=cargo"
RUN cargo build --release --locked --bin tessera \
    && .ci/licences >LICENCES.txt \
    && .ci/sbom >tessera.cdx.json \
    && strip --strip-debug -o tessera target/release/tessera

FROM ${DEBIAN_IMAGE}
# What the program links; fonts for names in all scripts; what a GPU's driver, which the container runtime brings, wants to find.
# Debian's images keep each package's /usr/share/doc/…/copyright, so those licences travel too.
RUN apt-get update -q && apt-get install -q -y --no-install-recommends \
        ca-certificates libdav1d6 libssl3 libstdc++6 libvpx7 \
        fonts-noto-core fonts-droid-fallback fonts-noto-color-emoji \
        libvulkan1 libx11-6 libxext6 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/ldconfig/aux-cache /var/log/apt /var/log/dpkg.log /var/log/alternatives.log
COPY --from=build --chmod=0755 /src/tessera /usr/local/bin/tessera
COPY --from=build /src/LICENCES.txt /src/tessera.cdx.json /src/LICENSE /src/LICENSE-APACHE /src/LICENSE-MIT /usr/share/doc/tessera/
# A number, so that runAsNonRoot can judge it; nothing in the image is this account's.
USER 10001:10001
WORKDIR /var/lib/tessera
EXPOSE 8080/tcp 3478/udp 3478/tcp
# As Kubernetes asks; Ctrl-C does the same.
STOPSIGNAL SIGTERM
ENTRYPOINT ["tessera"]
CMD ["serve"]
