#!/usr/bin/env bash
# Fails when a file includes what its layer must not know.
#   layers.sh SOURCE_DIR
set -u
cd "$1" || exit 2
bad=0
complain() { echo "$1" >&2; bad=1; }

# grep_includes PATTERN PATHS…: the #include lines that match, as file:line:text
grep_includes() { local pattern=$1; shift; grep -rnE "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]($pattern)" --include='*.h' --include='*.cc' "$@"; }

c_libraries='librdkafka/|rdkafka|rabbitmq-c/|amqp|sqlite3|libpq|postgresql/'

# C libraries in .cc files only, each in its own place only.
while read -r line; do complain "a header includes a C library: $line"; done \
  < <(grep_includes "$c_libraries" framework stores | grep -E '^[^:]+\.h:' |
      grep -v '^framework/rabbitmq/amqp_headers\.h:')
while read -r line; do complain "a header includes a C library by way of amqp_headers.h: $line"; done \
  < <(grep_includes '[^"]*amqp_headers' framework stores | grep -E '^[^:]+\.h:')
while read -r line; do complain "rdkafka outside its places: $line"; done \
  < <(grep_includes 'librdkafka/|rdkafka' framework stores | grep -vE '^framework/(sources|publishers|doctor)/kafka/')
while read -r line; do complain "rabbitmq-c outside its places: $line"; done \
  < <(grep_includes 'rabbitmq-c/|amqp' framework stores | grep -vE '^framework/((sources|publishers|doctor)/)?rabbitmq/')
while read -r line; do complain "HTTP or JSON in a header: $line"; done \
  < <(grep_includes 'httplib|nlohmann/|CLI/' framework stores | grep -E '^[^:]+\.h:' | grep -v '^framework/cli/')
while read -r line; do complain "sqlite3 outside stores/sqlite: $line"; done \
  < <(grep_includes 'sqlite3' framework stores | grep -v '^stores/sqlite/')

# The core: no threads, no clock reads, no I/O, no logging, nothing of the layers above it.
while read -r line; do complain "the core includes what it must not: $line"; done \
  < <(grep_includes 'thread|mutex|shared_mutex|condition_variable|future|semaphore|latch|barrier|iostream|fstream|cstdio|stdio|unistd|sys/|spdlog|runtime/|sources/|blockingconcurrentqueue|concurrentqueue' framework/core)
while read -r line; do complain "the core reads a clock: $line"; done \
  < <(grep -rnE '(steady_clock|system_clock|high_resolution_clock)::now|clock_gettime|gettimeofday|time\(nullptr\)' framework/core)

# The framework does not know the stores; runtime does not know a source; public headers include only public headers.
while read -r line; do complain "the framework includes a store's insides: $line"; done \
  < <(grep_includes 'stores/|sqlite/' framework)
while read -r line; do complain "the runtime includes a source's insides: $line"; done \
  < <(grep_includes 'sources/|publishers/|doctor/|rabbitmq/|idem/kafka|idem/rabbitmq|idem/doctor' framework/runtime framework/core)
while read -r line; do complain "a public header includes a private one: $line"; done \
  < <(grep_includes '(core|runtime|sources|publishers|doctor|cli|memory|sqlite)/' framework/include stores/include)

exit $bad
