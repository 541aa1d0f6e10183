// A Kafka broker for the quick start: the one that librdkafka brings along for tests, in memory, on a free
// loopback port, with the topic "payments" in four partitions. It is a process of its own so that killing the
// consumer leaves it alone. Writes its address into a file and runs until it is killed.
//
//   broker ADDRESS_FILE
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <memory>

template <auto destroy>
struct Destroy {
  void operator()(auto* what) const { destroy(what); }
};

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: broker ADDRESS_FILE\n"), 2;
  char error[512] = "";
  const std::unique_ptr<rd_kafka_t, Destroy<rd_kafka_destroy>> host(
      rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), error, sizeof error));
  if (!host) return std::fprintf(stderr, "broker: %s\n", error), 1;
  const std::unique_ptr<rd_kafka_mock_cluster_t, Destroy<rd_kafka_mock_cluster_destroy>> cluster(
      rd_kafka_mock_cluster_new(host.get(), /*broker_cnt=*/1));
  if (!cluster ||
      rd_kafka_mock_topic_create(cluster.get(), "payments", /*partition_cnt=*/4, /*replication_factor=*/1))
    return std::fprintf(stderr, "broker: librdkafka's mock cluster did not start\n"), 1;

  std::ofstream(argv[1]) << rd_kafka_mock_cluster_bootstraps(cluster.get()) << '\n';
  for (;;) pause();
}
