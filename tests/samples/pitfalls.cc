// idem_pitfalls: three ways to lose messages with RabbitMQ, each beside its cure, with the loss counted. See
// samples/pitfalls/run, which builds and starts it. Takes about a minute; exit code 0 when every pitfall has lost
// something and no cure has.
//
// What is lost is never a matter of luck: a consumer is killed when the server has handed out everything and the
// consumer has not worked it off; a server is stopped (SIGSTOP) before it is killed, so that it cannot have read what
// is sent in between.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <fstream>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "samples/ledger.h"
#include "support/process.h"
#include "support/rabbit_broker.h"
#include "support/rabbit_client.h"
#include "support/scratch.h"

namespace idem::test {
namespace {

using namespace std::chrono_literals;
using Ids = std::set<std::string>;

struct Count {
  std::size_t sent = 0, kept = 0;
  std::size_t lost() const { return sent - kept; }
};

template <class Condition>
void wait_until(const std::string& what, Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + 120s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("waited for nothing: " + what);
    std::this_thread::sleep_for(20ms);
  }
}

Count counted(const Ids& sent, const Ids& found) {
  Count count{sent.size(), 0};
  for (const std::string& id : sent) count.kept += found.count(id);
  return count;
}

// --- a consumer is killed ---------------------------------------------------------------------------------------------

Ids send_payments(RabbitClient& client, std::size_t count) {
  Ids ids;
  std::vector<RabbitMessage> payments;
  for (std::size_t i = 0; i < count; ++i) {
    payments.push_back({.payload = std::to_string(i % 100) + " 250", .id = "payment-" + std::to_string(i)});
    ids.insert(*payments.back().id);
  }
  client.publish("payments", payments);
  return ids;
}

/// Killed once in the middle of its work, started again, ended when the queue is empty.
Count kill_consumer(RabbitBroker& broker, const std::string& program) {
  constexpr std::size_t count = 6'000, enough = 500;
  Scratch scratch("pitfalls");
  const auto database = scratch / "ledger.db", log = scratch / "log";
  RabbitClient client(broker.uri());
  client.declare_queue("payments");
  const Ids sent = send_payments(client, count);
  const auto start = [&] {
    return Process({sample(program), broker.uri(), database}, {.output = log, .errors = log});
  };
  const auto booked = [&] {
    const auto number = rows(database, "SELECT count(*) FROM booking");
    return number.empty() ? 0u : std::stoul(number[0]);
  };

  Process consumer = start();
  wait_until(program + " is at work", [&] { return booked() >= enough; });
  consumer.kill();
  if (booked() >= count) throw std::runtime_error(program + " had booked everything before it could be killed");
  const auto nobody_reads = [&] { return client.consumers("payments") == 0; };
  wait_until("the server has seen it end", nobody_reads);

  // Whoever leaves hands back what is unfinished, so a queue without messages and readers is the end.
  do {
    consumer = start();
    wait_until("the queue is empty", [&] { return client.ready("payments") == 0 && client.consumers("payments") > 0; });
    consumer.terminate();
    if (!consumer.wait().ok()) throw std::runtime_error(program + " failed: " + contents(log));
    wait_until(program + " has left", nobody_reads);
  } while (client.ready("payments") > 0);
  const auto payments = rows(database, "SELECT DISTINCT payment FROM booking");
  client.delete_queue("payments");
  return counted(sent, Ids(payments.begin(), payments.end()));
}

// --- a server is restarted or killed ----------------------------------------------------------------------------------

/// What a program has printed, but for log lines.
Ids notes_in(const std::filesystem::path& file) {
  Ids all;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("note-")) all.insert(line);
  return all;
}

/// The ids of the messages in the queue; none if it is gone.
Ids notes_left(RabbitBroker& broker) {
  Ids ids;
  try {
    RabbitClient client(broker.uri());
    (void)client.ready("notes");
    while (const auto message = client.get("notes")) ids.insert(message->id.value_or(""));
    client.delete_queue("notes");
  } catch (const std::runtime_error&) {
  }
  return ids;
}

void declare_by(const std::string& program, RabbitBroker& broker) {
  const Finished finished = run({sample(program), broker.uri(), "0"});
  if (!finished.status.ok()) throw std::runtime_error(program + ": " + finished.output);
}

/// An orderly restart after everything is sent.
Count restart_server(RabbitBroker& broker, const std::string& program) {
  Scratch scratch("pitfalls");
  Process sender({sample(program), broker.uri(), "500"}, {.output = scratch / "sent", .errors = scratch / "errors"});
  if (!sender.wait().ok()) throw std::runtime_error(program + ": " + contents(scratch / "errors"));
  broker.ctl({"stop_app"});
  broker.ctl({"start_app"});
  return counted(notes_in(scratch / "sent"), notes_left(broker));
}

/// Hangs, and is killed, while messages are being sent; then it comes back. Whoever sends may go on then, or not.
Count kill_server(RabbitBroker& broker, const std::string& program) {
  declare_by(program, broker);
  broker.sync();  // a queue that is a moment old would go with the server, and this is not about that
  Scratch scratch("pitfalls");
  Process sender({sample(program), broker.uri(), "3000"}, {.output = scratch / "sent", .errors = scratch / "errors"});
  const auto sent = [&] { return notes_in(scratch / "sent").size(); };
  wait_until("something is sent", [&] { return sent() >= 200; });
  broker.pause();
  const std::size_t before = sent();
  // Who waits for confirms counts nothing more as sent: then half a second is enough.
  for (int i = 0; i < 25 && sent() < before + 200; ++i) std::this_thread::sleep_for(20ms);
  broker.kill();
  broker.restart();
  sender.wait();  // one that does not wait for confirms ends in an error, and knows nothing of what is lost
  return counted(notes_in(scratch / "sent"), notes_left(broker));
}

// --- the table --------------------------------------------------------------------------------------------------------

struct Case {
  const char* what;
  const char* program;
  bool cure;
  Count (*run)(RabbitBroker&, const std::string&);
};

constexpr Case cases[] = {
    {"consumer killed: automatic ack, queue in memory", "automatic_ack", false, kill_consumer},
    {"    cure: acknowledged after the commit", "after_commit", true, kill_consumer},
    {"server restarted: queue not durable", "transient", false, restart_server},
    {"    cure: durable queue, persistent messages", "published", true, restart_server},
    {"server killed: sent without confirms", "fire_and_forget", false, kill_server},
    {"    cure: sent until confirmed", "published", true, kill_server},
};

int run_all() {
  RabbitBroker broker;  // of its own: it is killed
  std::printf("%-50s %6s %6s %6s   samples/pitfalls/\n", "", "sent", "kept", "lost");
  bool as_expected = true;
  for (const Case& each : cases) {
    const Count count = each.run(broker, each.program);
    std::printf("%-50s %6zu %6zu %6zu   %s.cc\n", each.what, count.sent, count.kept, count.lost(), each.program);
    std::fflush(stdout);
    as_expected &= count.sent > 0 && (count.lost() > 0) != each.cure;
  }
  std::printf("%s\n", as_expected ? "every pitfall lost messages, no cure did" : "THIS IS NOT WHAT WAS EXPECTED");
  return as_expected ? 0 : 1;
}

}  // namespace
}  // namespace idem::test

int main() {
  try {
    if (const auto missing = idem::test::RabbitBroker::unavailable()) throw std::runtime_error(*missing);
    return idem::test::run_all();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "idem_pitfalls: %s\n", error.what());
    return 1;
  }
}
