# The operator as an image, for each platform that has the base and a wheel of grpcio:
#
#     docker build --file docker/operator.Dockerfile --tag twistdp-operator:0.1.0 .
#
# BASE runs it, and BUILDER builds it.  They may differ if both have the same Python at the same
# path: BASE needs neither pip nor a shell, since nothing runs in the last stage.  Put a package index
# of your own into a pip.conf, which the image does not keep: --secret id=pip,src=pip.conf
#
# The requirements name the packages that come from an index, by hash; no other name is looked up
# there.  A tag can be moved, a digest cannot: --build-arg BASE=python:3.13-slim@sha256:...
ARG BASE=python:3.13-slim
ARG BUILDER=${BASE}

FROM ${BUILDER} AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# The part of the directory that .dockerignore leaves.
COPY . /src
RUN --mount=type=secret,id=pip,target=/etc/pip.conf,required=false \
    python3 -m venv /opt/twistdp && \
    cd /src/twistdp/deployment/requirements && \
    pip="/opt/twistdp/bin/python -m pip install --quiet --use-pep517 --no-build-isolation" && \
    $pip --require-hashes --requirement build.txt && \
    $pip --require-hashes --requirement operator.txt && \
    $pip --no-index /src
# The image keeps the byte code, half of its size: where byte code cannot be written, each start would
# compile all modules again.  For the same reason twistd writes its cache of plugins here, at the end.
RUN cd /opt/twistdp && \
    bin/python -m pip uninstall --quiet --yes setuptools pip && \
    bin/twistd --help >/dev/null && test -s lib/python3*/site-packages/twisted/plugins/dropin.cache

FROM ${BASE}
LABEL org.opencontainers.image.title="twistdp-operator" \
      org.opencontainers.image.description="Runs the device plugins that DevicePlugin resources describe" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0"
COPY --from=builder /opt/twistdp /opt/twistdp
ENV PATH=/opt/twistdp/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONDONTWRITEBYTECODE=1
# The current directory is on the path of scanners, so only root may write to it.
WORKDIR /opt/twistdp
# The operator talks to the API server only, so any user will do.  The number lets Kubernetes see
# that it is not root.
USER 65532:65532
ENTRYPOINT ["twistd", "-n", "--pidfile=", "deviceplugin-operator"]
