#include "kills/options.h"

#include <cstdio>
#include <cstdlib>

#include "support/kafka_broker.h"
#ifdef IDEM_KILL_RABBITMQ
#include "support/rabbit_broker.h"
#endif

namespace idem::kills {
namespace {

using Source = Options::Source;

[[noreturn]] void wrong_usage(const std::string& what) {
  std::fprintf(stderr, "idem_kill: %s (tests/kill --help)\n", what.c_str());
  std::exit(2);
}

std::optional<std::string> why_missing(Source source) {
  switch (source) {
    case Source::mock_kafka: return std::nullopt;
    case Source::real_kafka: return idem::test::KafkaBroker::unavailable();
    case Source::rabbitmq:
#ifdef IDEM_KILL_RABBITMQ
      return idem::test::RabbitBroker::unavailable();
#else
      return "built without rabbitmq-c";
#endif
  }
  return std::nullopt;
}

std::optional<std::string> why_http_is_missing() {
#ifdef IDEM_KILL_EXTERNAL
  return std::nullopt;
#else
  return "built without it";
#endif
}

}  // namespace

Options parse_options(int count, char** words) {
  Options options;
  const std::string self = words[0];
  const std::string here = self.substr(0, self.rfind('/') + 1);
  options.consumer = here + "idem_kill_consumer";
  options.service = here + "idem_kill_service";
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    const auto value = [&]() -> std::string {
      if (++i == count) wrong_usage(word + " needs a value");
      return words[i];
    };
    if (word == "--cycles")
      options.cycles = std::stoul(value());
    else if (word == "--seed")
      options.seed = std::stoul(value());
    else if (word == "--keep")
      setenv("IDEM_KEEP_SCRATCH", "1", 1);
    else if (word == "--random-only")
      options.points = false;
    else if (word == "--consumer")
      options.consumer = value();
    else if (word == "--raw") {
      options.consumer = here + "idem_kill_raw_consumer";
      options.idem = options.points = false;
    } else if (word == "--relay") {
      options.relay = true;
    } else if (word == "--external") {
      options.external = true;
    } else if (word == "--unclaimed") {
      options.unclaimed = true;
    } else if (word == "--kafka") {
      const std::string which = value();
      if (which != "real" && which != "mock") wrong_usage("--kafka is real or mock");
      options.source = which == "real" ? Source::real_kafka : Source::mock_kafka;
    } else if (word == "--source") {
      const std::string which = value();
      if (which != "kafka" && which != "rabbitmq") wrong_usage("--source is kafka or rabbitmq");
      if (which == "rabbitmq") options.source = Source::rabbitmq;
    } else {
      wrong_usage("unknown option " + word);
    }
  }
  if (options.external && (options.relay || !options.idem))
    wrong_usage("--external goes neither with --relay nor with --raw");
  if (options.unclaimed && !options.external) wrong_usage("--unclaimed is for --external");
  return options;
}

const char* part_of(Source source) { return source == Source::rabbitmq ? "rabbitmq" : "kafka"; }

std::optional<Missing> missing_part(const Options& options) {
  if (const auto why = why_missing(options.source)) return Missing{part_of(options.source), *why};
  if (options.relay)
    if (const auto why = why_missing(Source::rabbitmq)) return Missing{part_of(Source::rabbitmq), *why};
  if (options.external)
    if (const auto why = why_http_is_missing()) return Missing{"cpp-httplib", *why};
  return std::nullopt;
}

}  // namespace idem::kills
