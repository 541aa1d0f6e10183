#include "group_progress.h"

#include <librdkafka/rdkafkacpp.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

namespace quickstart {
namespace {

constexpr const char* topic = "payments";
constexpr int partitions = 4;
constexpr int patience_ms = 5'000;

}  // namespace

GroupProgress::GroupProgress(const std::string& bootstrap_servers) {
  std::string error;
  const std::unique_ptr<RdKafka::Conf> conf(RdKafka::Conf::create(RdKafka::Conf::CONF_GLOBAL));
  if (conf->set("bootstrap.servers", bootstrap_servers, error) || conf->set("group.id", "ledger", error) ||
      conf->set("log_level", "0", error))
    throw std::runtime_error(error);
  client_.reset(RdKafka::KafkaConsumer::create(conf.get(), error));
  if (!client_) throw std::runtime_error(error);
}

GroupProgress::~GroupProgress() { client_->close(); }

bool GroupProgress::at_end() {
  std::vector<RdKafka::TopicPartition*> committed;
  for (int number = 0; number < partitions; ++number)
    committed.push_back(RdKafka::TopicPartition::create(topic, number));
  const bool answered = client_->committed(committed, patience_ms) == RdKafka::ERR_NO_ERROR;
  const bool done =
      answered && std::all_of(committed.begin(), committed.end(), [this](const auto* partition) {
        std::int64_t low = 0, high = 0;
        const auto error =
            client_->query_watermark_offsets(topic, partition->partition(), &low, &high, patience_ms);
        return !error && (partition->offset() == high || (high == 0 && partition->offset() < 0));
      });
  RdKafka::TopicPartition::destroy(committed);
  return done;
}

}  // namespace quickstart
