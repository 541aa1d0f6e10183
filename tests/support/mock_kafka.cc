#include "mock_kafka.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <stdexcept>

namespace idem::test {

void MockKafka::DestroyCluster::operator()(rd_kafka_mock_cluster_s* cluster) const {
  rd_kafka_mock_cluster_destroy(cluster);
}

MockKafka::MockKafka(int brokers)
    : host_(make_client(KafkaRole::producer, "", {{"client.id", "idem-test-mock"}})),
      cluster_(rd_kafka_mock_cluster_new(host_.get(), brokers)) {
  if (!cluster_) throw std::runtime_error("librdkafka could not start its mock cluster");
  bootstrap_ = rd_kafka_mock_cluster_bootstraps(cluster_.get());
}

MockKafka::~MockKafka() = default;

void MockKafka::create_topic(const std::string& name, int partitions, int replicas) {
  check(rd_kafka_mock_topic_create(cluster_.get(), name.c_str(), partitions, replicas),
        "create topic " + name);
}

void MockKafka::fail_next(KafkaRequest request, const std::vector<int>& errors) {
  std::vector<rd_kafka_resp_err_t> codes;
  for (int error : errors) codes.push_back(static_cast<rd_kafka_resp_err_t>(error));
  rd_kafka_mock_push_request_errors_array(cluster_.get(), static_cast<std::int16_t>(request), codes.size(),
                                          codes.data());
}

void MockKafka::set_topic_error(const std::string& topic, int error) {
  rd_kafka_mock_topic_set_error(cluster_.get(), topic.c_str(), static_cast<rd_kafka_resp_err_t>(error));
}

void MockKafka::set_broker_up(int broker, bool up) {
  check(up ? rd_kafka_mock_broker_set_up(cluster_.get(), broker)
           : rd_kafka_mock_broker_set_down(cluster_.get(), broker),
        "broker up or down");
}

void MockKafka::set_latency(int broker, std::chrono::milliseconds latency) {
  check(rd_kafka_mock_broker_set_rtt(cluster_.get(), broker, static_cast<int>(latency.count())), "latency");
}

}  // namespace idem::test
