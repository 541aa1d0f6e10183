// The producer of the quick start: sends payments at an even pace, every tenth of them a repeat of an earlier
// one (same payment-id, same content), and writes down each message it sends. That file is what the consumers
// are judged by.
//
//   sender BOOTSTRAP_SERVERS LEDGER_FILE MESSAGES SECONDS SEED
#include <librdkafka/rdkafkacpp.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

struct Message {
  std::string id, account, cents;
};

std::vector<Message> make_stream(std::size_t messages, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto below = [&random](std::uint64_t bound) { return random() % bound; };
  std::vector<Message> stream, originals;
  std::size_t repeat_at = 1 + below(9);
  while (stream.size() < messages) {
    if (stream.size() == repeat_at) {
      // Half the repeats are a producer's quick retry, half come much later: after a time-out, from a second
      // queue.
      const std::size_t back = below(2) ? below(3) : below(originals.size());
      stream.push_back(originals[originals.size() - 1 - std::min(back, originals.size() - 1)]);
      repeat_at = (repeat_at / 10 + 1) * 10 + below(10);
      continue;
    }
    char id[17];
    std::snprintf(id, sizeof id, "%016llx", static_cast<unsigned long long>(random()));
    originals.push_back({id, std::to_string(1 + below(1'000)), std::to_string(1 + below(100'000))});
    stream.push_back(originals.back());
  }
  return stream;
}

// Counts what the broker did not take.
class Refusals : public RdKafka::DeliveryReportCb {
 public:
  void dr_cb(RdKafka::Message& message) override {
    if (message.err() && count++ == 0) std::cerr << "sender: " << message.errstr() << '\n';
  }
  std::size_t count = 0;
};

class Producer {
 public:
  explicit Producer(const std::string& servers) {
    std::string error;
    const std::unique_ptr<RdKafka::Conf> conf(RdKafka::Conf::create(RdKafka::Conf::CONF_GLOBAL));
    if (conf->set("bootstrap.servers", servers, error) || conf->set("dr_cb", &refusals_, error))
      throw std::runtime_error(error);
    producer_.reset(RdKafka::Producer::create(conf.get(), error));
    if (!producer_) throw std::runtime_error(error);
  }

  void send(const Message& message) {
    std::unique_ptr<RdKafka::Headers> headers(RdKafka::Headers::create());
    headers->add("payment-id", message.id);
    std::string payload = message.account + " " + message.cents;
    // The key is the account: all payments of an account are in one partition, in order.
    const auto error =
        producer_->produce("payments", RdKafka::Topic::PARTITION_UA, RdKafka::Producer::RK_MSG_COPY,
                           payload.data(), payload.size(), message.account.data(), message.account.size(),
                           /*timestamp=*/0, headers.get(), nullptr);
    if (error) throw std::runtime_error(RdKafka::err2str(error));
    (void)headers.release();  // now the producer's
    producer_->poll(0);
  }

  void finish() {
    if (producer_->flush(30'000) || refusals_.count > 0)
      throw std::runtime_error("the broker did not take everything");
  }

 private:
  Refusals refusals_;  // outlives the producer that calls it
  std::unique_ptr<RdKafka::Producer> producer_;
};

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 6)
    throw std::runtime_error("usage: sender BOOTSTRAP_SERVERS LEDGER_FILE MESSAGES SECONDS SEED");
  const std::vector<Message> stream = make_stream(std::stoul(argv[3]), std::stoull(argv[5]));
  const std::chrono::duration<double> gap(std::stod(argv[4]) / static_cast<double>(stream.size()));

  Producer producer(argv[1]);
  std::ofstream ledger(argv[2]);
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < stream.size(); ++i) {
    std::this_thread::sleep_until(start + i * gap);
    ledger << stream[i].id << ' ' << stream[i].account << ' ' << stream[i].cents << '\n' << std::flush;
    producer.send(stream[i]);
  }
  producer.finish();
  ledger.close();
  return ledger ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << "sender: " << error.what() << '\n';
  return 1;
}
