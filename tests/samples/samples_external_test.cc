// The sample whose effect is elsewhere, with a mail service that loses an answer and a kill in the middle of a call.
#include <gtest/gtest.h>
#include <httplib.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "samples/ledger.h"
#include "support/kafka_client.h"
#include "support/mock_kafka.h"
#include "support/process.h"
#include "support/scratch.h"

namespace idem::test {
namespace {

using namespace std::chrono_literals;

class MailService {
 public:
  MailService() {
    server_.Post("/mails", [this](const auto& request, auto& response) { mail(request, response); });
    server_.Get("/mails/([0-9a-f]+)", [this](const auto& request, auto& response) {
      std::lock_guard lock(mutex_);
      response.status = keys_.contains(request.matches[1]) ? 200 : 404;
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
  }
  ~MailService() {
    release();
    server_.stop();
    thread_.join();
  }

  std::string address() const { return "http://127.0.0.1:" + std::to_string(port_); }
  /// Waits until the payment's mail has been asked for; false: it never was.
  bool wait_for(const std::string& payment) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 30s, [&] { return calls_.contains(payment); });
  }
  void release() {
    std::lock_guard lock(mutex_);
    held_ = false;
    changed_.notify_all();
  }
  std::map<std::string, int> calls() {
    std::lock_guard lock(mutex_);
    return calls_;
  }
  std::size_t keys() {
    std::lock_guard lock(mutex_);
    return keys_.size();
  }

 private:
  void mail(const httplib::Request& request, httplib::Response& response) {
    const auto from = request.body.find("payment ") + 8;
    const std::string payment = request.body.substr(from, request.body.find(',', from) - from);
    std::unique_lock lock(mutex_);
    keys_.insert(request.get_header_value("Idempotency-Key"));
    ++calls_[payment];
    changed_.notify_all();
    if (payment == "held") changed_.wait(lock, [&] { return !held_; });
    response.status = 201;
    if (payment == "unanswered")  // the connection is closed in the middle of the answer
      response.set_content_provider(4, "text/plain", [](std::size_t, std::size_t, httplib::DataSink&) { return false; });
  }

  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, int> calls_;  // by payment
  std::set<std::string> keys_;
  bool held_ = true;
};

Record payment(const std::string& id, const std::string& text = "7 250") {
  return {.key = "7", .payload = text, .headers = {{"payment-id", id}}};
}

TEST(ReceiptsSample, MailsEachReceiptOnceThoughAnAnswerIsLostAndItIsKilledInACall) {
  MockKafka kafka;
  kafka.create_topic("payments", 2);
  MailService mails;
  Scratch scratch("receipts");
  const auto log = scratch / "log";
  const auto start = [&] {
    return Process({sample("receipts"), kafka.bootstrap(), mails.address(), scratch / "store.db"},
                   {.output = log, .errors = log});
  };
  KafkaClient producer(kafka.bootstrap());
  producer.produce("payments", {payment("a"), payment("unanswered"), payment("a"), payment("c", "nonsense"), payment("held")});

  Process mailing = start();
  ASSERT_TRUE(mails.wait_for("held")) << contents(log);
  mailing.kill();
  mails.release();
  mailing = start();
  producer.produce("payments", {payment("a"), payment("last")});
  ASSERT_TRUE(mails.wait_for("last")) << contents(log);  // those before it are done: it has their key
  mailing.terminate();
  EXPECT_EQ(mailing.wait().to_string(), "exit code 0") << contents(log);

  const std::map<std::string, int> once = {{"a", 1}, {"unanswered", 1}, {"held", 1}, {"last", 1}};
  EXPECT_EQ(mails.calls(), once) << contents(log);
  EXPECT_EQ(mails.keys(), once.size());
  EXPECT_NE(contents(log).find("reason=dead_letter"), std::string::npos) << contents(log);
}

}  // namespace
}  // namespace idem::test
