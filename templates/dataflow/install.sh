#!/usr/bin/env bash
# What a worker needs, from uv.lock, into $UV_PROJECT_ENVIRONMENT:
#   install.sh cpu|cuda
# Of the extras only object stores and ONNX: training, bench, report and review run elsewhere. Triton
# compiles kernels, which nothing here asks for; headers, static libraries, and libraries of CUDA that
# no other one is linked to (several GPUs in one solver, the profiler) go as well. The folder must hold
# uv.lock and pyproject.toml.
set -euo pipefail
flavour=${1:?cpu or cuda}
packages=$(sed -nE 's/^name = "(torch|triton|cuda-.*|nvidia-.*)"$/\1/p' uv.lock)
version=$(sed -n '/^name = "torch"$/{n;s/^version = "\(.*\)"$/\1/p;}' uv.lock)
leave() { for one in "$@"; do printf -- '--no-install-package %s ' "$one"; done; }
case $flavour in
  cpu) left=$packages ;;
  cuda) left=triton ;;
  *) echo "install.sh: $flavour? cpu or cuda" >&2; exit 2 ;;
esac
# shellcheck disable=SC2046,SC2086
uv sync --quiet --frozen --no-dev --no-install-project --extra gcp --extra aws --extra onnx $(leave $left)
if [ "$flavour" = cpu ]; then
  uv pip install --quiet --python "$UV_PROJECT_ENVIRONMENT/bin/python" --no-deps \
    --index-url "${TORCH_CPU_INDEX:-https://download.pytorch.org/whl/cpu}" "torch==$version"
fi
cd "$UV_PROJECT_ENVIRONMENT"/lib/python*/site-packages
rm -rf torch/include pyarrow/include
if [ "$flavour" = cuda ]; then
  find nvidia -type d -name include -prune -exec rm -rf {} +
  find nvidia \( -name '*.a' -o -name '*.bc' -o -name 'libcusolverMg.so*' -o -name 'libnvperf_*.so*' \
    -o -name 'libpcsamplingutil.so*' -o -name 'libcheckpoint.so*' \) -delete
fi
