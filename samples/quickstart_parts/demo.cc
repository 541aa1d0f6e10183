// The quick start's experiment: one stream of payments, two consumers in turn, each killed with SIGKILL at
// random moments and started again, then each one's database held against what the sender wrote down.
//
//   demo DIRECTORY [MESSAGES KILLS SECONDS]
//
// DIRECTORY receives the databases, the senders' ledgers and the logs. SECONDS is how long sending takes. For
// each consumer there is a fresh broker, a fresh database and the same stream sent at the same pace.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "child.h"
#include "group_progress.h"
#include "judge.h"
#include "progress_line.h"

namespace quickstart {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;
namespace fs = std::filesystem;

struct Plan {
  fs::path programs;   // where broker, sender and the consumers are
  fs::path directory;  // for what they write
  std::size_t messages = 20'000;
  std::size_t kills = 10;
  Seconds length{12};  // of the sending
  std::uint64_t seed = std::random_device()();
};

// A failure that is not a verdict: something did not run as it should.
class Broken : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

std::string contents(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::optional<std::string> first_line(const fs::path& path) {
  const std::string text = contents(path);
  const auto end = text.find('\n');
  return end == std::string::npos ? std::nullopt : std::optional(text.substr(0, end));
}

// Waits until `ready` has a value, `child` has ended or `patience` is over.
template <class Ready>
auto await(Child& child, const std::string& what, std::chrono::milliseconds patience, Ready ready) {
  for (const auto deadline = Clock::now() + patience;; std::this_thread::sleep_for(2ms)) {
    if (auto value = ready()) return *value;
    if (child.ended()) throw Broken(what + " ended with " + child.ending());
    if (Clock::now() >= deadline) throw Broken(what + " took too long");
  }
}

// The sender's ledger while it is being written.
class LedgerReader {
 public:
  explicit LedgerReader(fs::path path) : path_(std::move(path)) {}

  std::size_t messages() {
    if (!file_.is_open()) file_.open(path_);
    for (std::string line; std::getline(file_, line);) count_ += !file_.eof();
    file_.clear();
    return count_;
  }

 private:
  const fs::path path_;
  std::ifstream file_;
  std::size_t count_ = 0;
};

// One random moment in each of as many equal stretches as there are kills.
std::vector<Clock::duration> kill_moments(const Plan& plan) {
  std::mt19937_64 random(std::random_device{}());
  std::uniform_real_distribution<double> within(0, 1);
  std::vector<Clock::duration> moments;
  for (std::size_t i = 0; i < plan.kills; ++i) {
    const double share = (static_cast<double>(i) + within(random)) / static_cast<double>(plan.kills);
    moments.push_back(std::chrono::duration_cast<Clock::duration>(share * plan.length));
  }
  return moments;
}

struct Result {
  std::string name;
  Verdict verdict;
  std::size_t kills = 0;
};

// One consumer's run through the stream. Its parts are started in this order and end in the opposite one.
class Run {
 public:
  Run(const Plan& plan, const std::string& name, const std::string& consumer_program)
      : plan_(plan),
        name_(name),
        program_(consumer_program),
        broker_({program("quickstart_broker"), file(".address")}, file(".broker")),
        servers_(await(broker_, "the broker", 20s, [this] { return first_line(file(".address")); })),
        consumer_(start_consumer()),
        sender_({program("quickstart_sender"), servers_, file(".sent"), std::to_string(plan.messages),
                 std::to_string(plan.length.count()), std::to_string(plan.seed)},
                file(".sender")),
        sent_(file(".sent")),
        progress_(name, plan.messages, plan.kills) {}

  Result result() {
    kill_and_watch();
    if (!consumer_.terminate(20s)) throw Broken(program_ + " did not stop when asked to");
    if (!consumer_.succeeded()) throw Broken(program_ + ", asked to stop, ended with " + consumer_.ending());
    return {name_, judge(file(".sent"), file(".db")), plan_.kills};
  }

 private:
  std::string program(const std::string& which) const { return plan_.programs / which; }
  fs::path file(const char* suffix) const { return plan_.directory / (program_ + suffix); }
  Child start_consumer() const { return Child({program(program_), servers_, file(".db")}, file(".log")); }

  void kill_and_watch() {
    const Clock::time_point start = await(sender_, "the sender", 20s, [this] {
      return sent_.messages() > 0 ? std::optional(Clock::now()) : std::nullopt;
    });
    for (const Clock::duration moment : kill_moments(plan_)) {
      while (Clock::now() < start + moment) {
        look();
        std::this_thread::sleep_until(std::min(Clock::now() + 50ms, start + moment));
      }
      consumer_.kill();
      if (consumer_.ending() != "signal 9") throw Broken(program_ + " ended with " + consumer_.ending());
      consumer_ = start_consumer();
      progress_.killed(sent_.messages(), booked_);
    }
    // Over when all is sent, the broker believes that all is done, and for a second nothing more was booked.
    GroupProgress group(servers_);
    while (!sender_.ended() || Clock::now() < last_booking_ + 1s || !group.at_end()) {
      look();
      std::this_thread::sleep_for(50ms);
      if (Clock::now() > start + plan_.length + 60s) throw Broken(program_ + " did not come to the end");
    }
  }

  void look() {
    if (const std::size_t booked = count_bookings(file(".db")); booked > booked_) {
      booked_ = booked;
      last_booking_ = Clock::now();
    }
    progress_.show(sent_.messages(), booked_);
    if (consumer_.ended()) throw Broken(program_ + " ended with " + consumer_.ending());
    if (sender_.ended() && !sender_.succeeded()) throw Broken("the sender ended with " + sender_.ending());
  }

  const Plan& plan_;
  const std::string name_, program_;
  Child broker_;
  const std::string servers_;
  Child consumer_;
  Child sender_;
  LedgerReader sent_;
  ProgressLine progress_;
  std::size_t booked_ = 0;
  Clock::time_point last_booking_ = Clock::now();
};

void print_table(const std::vector<Result>& results) {
  std::printf("\n  %-9s %9s %9s %9s %8s %8s %6s\n", "", "sent", "distinct", "effects", "lost", "doubled",
              "kills");
  for (const auto& [name, verdict, kills] : results)
    std::printf("  %-9s %9s %9s %9s %8s %8s %6zu\n", name.c_str(), grouped(verdict.sent).c_str(),
                grouped(verdict.distinct).c_str(), grouped(verdict.effects).c_str(),
                grouped(verdict.lost).c_str(), grouped(verdict.doubled).c_str(), kills);
  std::printf("\n");
}

// What the reader just saw, and where to go on.
void explain(const Verdict& raw, const Verdict& idem, std::size_t kills) {
  std::printf(
      "Killed %zu times in the middle of one and the same stream, the raw loop lost %s payments and booked\n"
      "%s too often (at most %s of these because they were sent twice): %s of %s balances are wrong;\n",
      kills, grouped(raw.lost).c_str(), grouped(raw.doubled).c_str(),
      grouped(raw.sent - raw.distinct).c_str(), grouped(raw.wrong_balances).c_str(),
      grouped(raw.accounts).c_str());
  if (idem.clean())
    std::printf("the same service on idem booked each payment once, and every balance is what was sent.\n");
  else
    std::printf(
        "idem broke its promise: %s balances are wrong, %s bookings were never sent. Please report it.\n",
        grouped(idem.wrong_balances).c_str(), grouped(idem.foreign).c_str());
  std::printf(
      "Open samples/payments.cc next: it is the whole service. samples/raw_loop.cc is the other one.\n\n");
}

int demo(const Plan& plan) {
  std::printf(
      "Sending %s payments, a tenth of them repeats, to two consumers in turn; kill -9 %zu times each:\n",
      grouped(plan.messages).c_str(), plan.kills);
  const std::vector<Result> results = {Run(plan, "raw loop", "raw_loop").result(),
                                       Run(plan, "idem", "payments").result()};
  if (contents(plan.directory / "raw_loop.sent") != contents(plan.directory / "payments.sent"))
    throw Broken("the two consumers were not sent the same stream");

  const Verdict& idem = results[1].verdict;
  print_table(results);
  explain(results[0].verdict, idem, plan.kills);
  std::printf("idem: sent %zu distinct %zu effects %zu lost %zu doubled %zu kills %zu\n", idem.sent,
              idem.distinct, idem.effects, idem.lost, idem.doubled, results[1].kills);
  return idem.clean() ? 0 : 1;
}

}  // namespace
}  // namespace quickstart

int main(int argc, char** argv) {
  if (argc != 2 && argc != 5)
    return std::fprintf(stderr, "usage: demo DIRECTORY [MESSAGES KILLS SECONDS]\n"), 2;
  try {
    quickstart::Plan plan{.programs = std::filesystem::canonical("/proc/self/exe").parent_path(),
                          .directory = argv[1]};
    if (argc == 5) {
      plan.messages = std::stoul(argv[2]);
      plan.kills = std::stoul(argv[3]);
      plan.length = quickstart::Seconds(std::stod(argv[4]));
    }
    return quickstart::demo(plan);
  } catch (const std::exception& error) {
    std::fflush(stdout);
    std::fprintf(stderr, "quick start: %s; the logs are in %s\n", error.what(), argv[1]);
    return 1;
  }
}
