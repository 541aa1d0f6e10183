#!/usr/bin/env bash
# Installs the build into a prefix of its own and builds a project of five lines against it.
#   installed_package.sh BUILD_DIR PROJECT_DIR
set -eu
scratch=$(mktemp -d) && trap 'rm -rf "$scratch"' EXIT
cmake --install "$1" --prefix "$scratch/prefix" >/dev/null
cmake -G Ninja -S "$2" -B "$scratch/build" -DCMAKE_PREFIX_PATH="$scratch/prefix" -DCMAKE_BUILD_TYPE=Debug >"$scratch/log" || { cat "$scratch/log"; exit 1; }
cmake --build "$scratch/build" >"$scratch/log" || { cat "$scratch/log"; exit 1; }
if [ -e "$1/framework/cli/idem" ]; then "$scratch/prefix/bin/idem" doctor --help >/dev/null; fi
cd "$scratch" && "$scratch/build/service"
