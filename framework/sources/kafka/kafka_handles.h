// Owners of librdkafka's objects: the deleter once, unique_ptr ever after. Only .cc files include rdkafka.h.
#pragma once

#include <memory>
#include <string>

struct rd_kafka_s;
struct rd_kafka_conf_s;
struct rd_kafka_topic_s;
struct rd_kafka_queue_s;
struct rd_kafka_message_s;
struct rd_kafka_op_s;
struct rd_kafka_error_s;
struct rd_kafka_topic_partition_list_s;
struct rd_kafka_AdminOptions_s;
struct rd_kafka_metadata;  // "struct" wherever it is used: there is a function of that name

namespace idem::kafka {

struct Delete {
  void operator()(rd_kafka_conf_s* conf) const;
  void operator()(rd_kafka_topic_s* topic) const;
  void operator()(rd_kafka_queue_s* queue) const;
  void operator()(rd_kafka_message_s* message) const;
  void operator()(rd_kafka_op_s* event) const;
  void operator()(rd_kafka_error_s* error) const;
  void operator()(rd_kafka_topic_partition_list_s* list) const;
  void operator()(rd_kafka_AdminOptions_s* options) const;
  void operator()(const struct rd_kafka_metadata* metadata) const;
};

using Conf = std::unique_ptr<rd_kafka_conf_s, Delete>;
using TopicHandle = std::unique_ptr<rd_kafka_topic_s, Delete>;
using Queue = std::unique_ptr<rd_kafka_queue_s, Delete>;
using MessageHandle = std::unique_ptr<rd_kafka_message_s, Delete>;
using Event = std::unique_ptr<rd_kafka_op_s, Delete>;
using Error = std::unique_ptr<rd_kafka_error_s, Delete>;
using PartitionList = std::unique_ptr<rd_kafka_topic_partition_list_s, Delete>;
using AdminOptions = std::unique_ptr<rd_kafka_AdminOptions_s, Delete>;
using Metadata = std::unique_ptr<const struct rd_kafka_metadata, Delete>;

PartitionList make_list(std::size_t capacity);

/// The text of an error, which is consumed; "" for none.
std::string text(Error error);

}  // namespace idem::kafka
