# docker build -t ninspect .                                  runs on the CPU
# docker build -t ninspect:cuda --build-arg EXTRAS='[cuda]' . also installs CUDA and cuDNN; run it with --gpus all
#
# docker run --rm --network none --read-only --tmpfs /tmp -v "$PWD:/data:ro" ninspect scan model.onnx --samples images
FROM python:3.13-slim
ARG EXTRAS=""

COPY pyproject.toml README.md LICENSE /src/
COPY ninspect /src/ninspect
COPY models /src/models
RUN pip install --no-cache-dir "/src${EXTRAS}" && rm -rf /src && useradd --system --no-create-home ninspect

USER ninspect
WORKDIR /data
ENTRYPOINT ["ninspect"]
CMD ["--help"]
