// The webhook sample, asked as a provider asks who has not seen the answer, with a bank that keeps answers back.
#include <gtest/gtest.h>
#include <httplib.h>

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "samples/ledger.h"
#include "support/process.h"
#include "support/scratch.h"

namespace idem::test {
namespace {

using namespace std::chrono_literals;
using Strings = std::vector<std::string>;

/// Pays, and remembers under which keys it was asked to. Some answers it does not give.
class Bank {
 public:
  Bank() {
    server_.Post("/transfers", [this](const httplib::Request& request, httplib::Response& response) {
      std::unique_lock lock(mutex_);
      keys_.push_back(request.get_header_value("Idempotency-Key"));
      asked_.notify_all();
      if (request.body == "held") asked_.wait(lock, [&] { return !held_; });
      response.status = request.body == "refused" ? 403 : 201;
      response.set_content("transfer " + std::to_string(keys_.size()), "text/plain");
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
  }
  ~Bank() {
    release();
    server_.stop();
    thread_.join();
  }
  std::string address() const { return "http://127.0.0.1:" + std::to_string(port_); }
  bool wait_for(std::size_t calls) {
    std::unique_lock lock(mutex_);
    return asked_.wait_for(lock, 30s, [&] { return keys_.size() >= calls; });
  }
  void release() {
    std::lock_guard lock(mutex_);
    held_ = false;
    asked_.notify_all();
  }
  Strings keys() {
    std::lock_guard lock(mutex_);
    return keys_;
  }

 private:
  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable asked_;
  Strings keys_;
  bool held_ = true;
};

class WebhookSample : public testing::Test {
 protected:
  /// Waits until it says where it is.
  Process start() {
    std::filesystem::remove(out_);
    Process process({sample("webhook"), "0", database_, bank_.address()}, {.output = out_, .errors = log_});
    while (process.running() && !contents(out_).ends_with("\n")) std::this_thread::sleep_for(1ms);
    address_ = contents(out_);
    if (address_.ends_with("\n")) address_.pop_back();
    return process;
  }
  /// "201 booked as number 1"; "none" without an answer.
  std::string post(const std::string& path, const std::string& key, const std::string& body) {
    httplib::Client client(address_);
    client.set_read_timeout(60s);
    const auto answer = client.Post(path, {{"Idempotency-Key", key}}, body, "text/plain");
    if (!answer) return "none";
    std::string text = std::to_string(answer->status) + " " + answer->body;
    if (text.ends_with("\n")) text.pop_back();
    return text;
  }

  Bank bank_;
  Scratch scratch_{"webhook"};
  const std::filesystem::path database_ = scratch_ / "ledger.db", log_ = scratch_ / "log", out_ = scratch_ / "out";
  std::string address_;
};

TEST_F(WebhookSample, BooksOnceAndGivesARepeatTheSameAnswer) {
  Process webhook = start();
  EXPECT_EQ(post("/payments", "a", "1 100"), "201 booked as number 1") << contents(log_);
  EXPECT_EQ(post("/payments", "b", "2 250"), "201 booked as number 2");
  EXPECT_EQ(post("/payments", "a", "1 100"), "201 booked as number 1");
  EXPECT_EQ(post("/payments", "a", "1 999"), "422 another request had this key");
  EXPECT_EQ(post("/payments", "c", "nonsense"), "422 not a payment");
  EXPECT_EQ(post("/payments", "", "1 100").substr(0, 3), "400");
  webhook.kill();
  webhook = start();
  EXPECT_EQ(post("/payments", "b", "2 250"), "201 booked as number 2");
  EXPECT_EQ(post("/payments", "c", "nonsense").substr(0, 3), "422");
  EXPECT_EQ(post("/payments", "d", "2 1"), "201 booked as number 3");
  webhook.terminate();
  EXPECT_EQ(webhook.wait().to_string(), "exit code 0") << contents(log_);
  EXPECT_EQ(bookings(database_), (Strings{"a 1 100", "b 2 250", "d 2 1"}));
}

TEST_F(WebhookSample, PaysOutUnderOneKeyThoughItIsKilledInTheCall) {
  Process webhook = start();
  EXPECT_EQ(post("/payouts", "a", "7 100"), "201 transfer 1") << contents(log_);
  EXPECT_EQ(post("/payouts", "a", "7 100"), "201 transfer 1");
  EXPECT_EQ(post("/payouts", "b", "refused"), "422 the bank refused");
  EXPECT_EQ(post("/payouts", "b", "refused").substr(0, 3), "422");
  EXPECT_EQ(bank_.keys().size(), 2u);

  std::thread provider([&] { EXPECT_EQ(post("/payouts", "c", "held"), "none"); });
  ASSERT_TRUE(bank_.wait_for(3)) << contents(log_);
  webhook.kill();
  provider.join();
  bank_.release();
  webhook = start();
  const std::string answer = post("/payouts", "c", "held");
  EXPECT_EQ(answer, "201 transfer 4") << contents(log_);
  EXPECT_EQ(post("/payouts", "c", "held"), answer);
  const Strings keys = bank_.keys();
  ASSERT_EQ(keys.size(), 4u);
  EXPECT_EQ(keys[3], keys[2]);
  EXPECT_NE(keys[3], keys[0]);
  webhook.terminate();
  EXPECT_EQ(webhook.wait().to_string(), "exit code 0") << contents(log_);
}

}  // namespace
}  // namespace idem::test
