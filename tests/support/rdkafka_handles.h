// Ownership of librdkafka's objects for the test support: one deleter for all of them, unique_ptr ever after.
// The types are only declared here; the files that use them include rdkafka.h themselves.
#pragma once

#include <map>
#include <memory>
#include <string>

struct rd_kafka_s;
struct rd_kafka_conf_s;
struct rd_kafka_metadata;
struct rd_kafka_op_s;
struct rd_kafka_queue_s;
struct rd_kafka_message_s;
struct rd_kafka_headers_s;
struct rd_kafka_error_s;
struct rd_kafka_topic_partition_list_s;
struct rd_kafka_AdminOptions_s;

namespace idem::test {

struct RdKafkaDeleter {
  void operator()(rd_kafka_s* client) const;
  void operator()(const struct rd_kafka_metadata* metadata) const;  // rdkafka.h has a function of that name as well
  void operator()(rd_kafka_op_s* event) const;
  void operator()(rd_kafka_queue_s* queue) const;
  void operator()(rd_kafka_message_s* message) const;
  void operator()(rd_kafka_headers_s* headers) const;
  void operator()(rd_kafka_error_s* error) const;
  void operator()(rd_kafka_topic_partition_list_s* list) const;
  void operator()(rd_kafka_AdminOptions_s* options) const;
};
template <typename T>
using RdKafka = std::unique_ptr<T, RdKafkaDeleter>;

using KafkaConfig = std::map<std::string, std::string>;

enum class KafkaRole { producer, consumer };

// A librdkafka client; reconnects within half a second after a broker's restart and logs nothing, as every
// error reaches the caller. `callbacks` may set some. Throws std::runtime_error with librdkafka's words when
// the configuration is refused.
RdKafka<rd_kafka_s> make_client(KafkaRole role, const std::string& bootstrap, const KafkaConfig& config,
                                void (*callbacks)(rd_kafka_conf_s*) = nullptr);

// Throws std::runtime_error "what: <librdkafka's description>" when an error is set.
void check(int response_error, const std::string& what);
void check(RdKafka<rd_kafka_error_s> error, const std::string& what);

}  // namespace idem::test
