#!/usr/bin/env bash
# A Handler on a store without transactions must not compile, and the message must say what to do.
#   compile_fail.sh COMPILER SOURCE_DIR
set -u
here=$(cd "$(dirname "$0")" && pwd)
flags="-std=c++20 -fsyntax-only -I$2/framework/include -I$2/stores/include"
output=$("$1" $flags "$here/handler_needs_transactions.cc" 2>&1) && { echo "it compiled" >&2; exit 1; }
grep -q 'idem: a Handler writes its effect in the store.s transaction, and this store has none' <<<"$output" ||
  { echo "the message is missing:" >&2; echo "$output" >&2; exit 1; }
[ "$(grep -c 'error:' <<<"$output")" = 1 ] || { echo "more than one error:" >&2; echo "$output" >&2; exit 1; }
# The same program with a transactional store compiles: the failure above is not of another making.
"$1" $flags -DWITH_TRANSACTIONS "$here/handler_needs_transactions.cc"
