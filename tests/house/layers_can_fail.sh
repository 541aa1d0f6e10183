#!/usr/bin/env bash
# The layer check itself must be able to fail: each rule is broken once in a copy of the tree.
#   layers_can_fail.sh SOURCE_DIR
set -u
source=$1
here=$(cd "$(dirname "$0")" && pwd)
copy=$(mktemp -d) && trap 'rm -rf "$copy"' EXIT

check() {  # check FILE LINE: the rule notices LINE in FILE
  rm -rf "${copy:?}"/* && cp -r "$source/framework" "$source/stores" "$copy/"
  echo "$2" >>"$copy/$1"
  if "$here/layers.sh" "$copy" 2>/dev/null; then echo "not noticed: '$2' in $1" >&2; exit 1; fi
}
check framework/core/delivery.h '#include <mutex>'
check framework/core/progress.cc '#include <spdlog/spdlog.h>'
check framework/core/progress.cc 'auto now = std::chrono::steady_clock::now();'
check framework/core/progress.cc '#include "runtime/clock.h"'
check framework/include/idem/kafka.h '#include <librdkafka/rdkafka.h>'
check framework/runtime/runtime.cc '#include <librdkafka/rdkafka.h>'
check framework/include/idem/rabbitmq.h '#include <amqp.h>'
check framework/sources/kafka/kafka_lookup.cc '#include <amqp.h>'
check framework/sources/rabbitmq/incoming.h '#include "rabbitmq/amqp_headers.h"'
check framework/runtime/runtime.cc '#include <idem/rabbitmq.h>'
check framework/publishers/book.h '#include <librdkafka/rdkafka.h>'
check framework/publishers/kafka/lanes.cc '#include <amqp.h>'
check framework/runtime/runtime.cc '#include "publishers/book.h"'
check framework/runtime/runtime.cc '#include <sqlite3.h>'
check framework/doctor/report.cc '#include <librdkafka/rdkafka.h>'
check framework/doctor/kafka/facts.h '#include <librdkafka/rdkafka.h>'
check framework/doctor/kafka/judgement.cc '#include <amqp.h>'
check framework/doctor/rabbitmq/http.h '#include <httplib.h>'
check framework/runtime/runtime.cc '#include <idem/doctor.h>'
check framework/include/idem/doctor.h '#include "doctor/words.h"'
check framework/runtime/runtime.cc '#include <idem/kafka.h>'
check framework/include/idem/store.h '#include "core/delivery.h"'
rm -rf "${copy:?}"/* && cp -r "$source/framework" "$source/stores" "$copy/"
"$here/layers.sh" "$copy"
