#include "sources/kafka/kafka_handles.h"

#include <librdkafka/rdkafka.h>

namespace idem::kafka {

void Delete::operator()(rd_kafka_conf_s* conf) const { rd_kafka_conf_destroy(conf); }
void Delete::operator()(rd_kafka_topic_s* topic) const { rd_kafka_topic_destroy(topic); }
void Delete::operator()(rd_kafka_queue_s* queue) const { rd_kafka_queue_destroy(queue); }
void Delete::operator()(rd_kafka_message_s* message) const { rd_kafka_message_destroy(message); }
void Delete::operator()(rd_kafka_op_s* event) const { rd_kafka_event_destroy(event); }
void Delete::operator()(rd_kafka_error_s* error) const { rd_kafka_error_destroy(error); }
void Delete::operator()(rd_kafka_topic_partition_list_s* list) const { rd_kafka_topic_partition_list_destroy(list); }
void Delete::operator()(rd_kafka_AdminOptions_s* options) const { rd_kafka_AdminOptions_destroy(options); }
void Delete::operator()(const struct rd_kafka_metadata* metadata) const { rd_kafka_metadata_destroy(metadata); }

PartitionList make_list(std::size_t capacity) {
  return PartitionList(rd_kafka_topic_partition_list_new(static_cast<int>(capacity)));
}

std::string text(Error error) { return error ? rd_kafka_error_string(error.get()) : ""; }

}  // namespace idem::kafka
