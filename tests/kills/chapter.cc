#include "kills/chapter.h"

#include <signal.h>

#include <algorithm>
#include <thread>

#include "kills/called_service.h"

namespace idem::kills {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using test::Process;

namespace {

constexpr std::size_t cycles_between_sends = 8;
constexpr auto drain_timeout = 120s;

}  // namespace

Chapter::Chapter(ChapterOptions options, Broker& broker, Endings& endings)
    : options_(std::move(options)),
      broker_(broker),
      endings_(endings),
      log_(scratch_ / "consumer.log"),
      place_{scratch_ / "effects.db", options_.topic, options_.topic + "-group"},
      stream_(options_.topic, broker.partitions(), options_.seed, options_.idem),
      random_(options_.seed) {}

void Chapter::cycle() {
  // Every second time the messages arrive while the consumer runs.
  const bool send_now = cycles_++ % cycles_between_sends == 0;
  const bool beforehand = cycles_ % (2 * cycles_between_sends) == 1;
  if (send_now && beforehand) send(cycles_between_sends * per_cycle_);

  const Ending ending = endings_.next(!std::filesystem::exists(place_.store), group());
  const auto started = Clock::now();
  Process consumer = start("signal", ending.failpoints);
  if (send_now && !beforehand) send(cycles_between_sends * per_cycle_);

  std::optional<test::ExitStatus> status;
  const auto live_until = [&](std::chrono::microseconds age) {
    if (ending.point) {
      status = consumer.wait_for(std::chrono::ceil<std::chrono::milliseconds>(started + age - Clock::now()));
    } else {
      std::this_thread::sleep_until(started + age);
      status = consumer.wait_for(0ms);
    }
  };
  if (ending.terminate_after) {
    live_until(*ending.terminate_after);
    consumer.terminate();
  }
  if (!status) live_until(ending.kill_after);
  const bool by_itself = status.has_value();
  if (!status) status = consumer.kill();

  const bool killed = status->signal == SIGKILL;
  const bool left = ending.terminate_after && (status->ok() || status->signal == SIGTERM);
  if (!killed && !left) fail("the consumer ended with " + status->to_string() + " (" + ending.failpoints + ")");
  endings_.ended(ending, !killed     ? Endings::Death::none
                         : by_itself ? Endings::Death::at_point
                                     : Endings::Death::by_hand);
}

Verdict Chapter::check_after_kill() {
  const Verdict verdict = look(Moment::after_kill);
  // Lives that find too little to do die idle, and too much makes the end long.
  if (verdict.unfinished < 4 * per_cycle_) per_cycle_ = std::min<std::size_t>(per_cycle_ * 3 / 2, 1'000);
  if (verdict.unfinished > 30 * per_cycle_) per_cycle_ = std::max<std::size_t>(per_cycle_ / 2, 20);
  return verdict;
}

Verdict Chapter::finish() {
  Process consumer = start("caught_up", "");
  const auto status = consumer.wait_for(drain_timeout);
  if (!status) fail("the consumer did not catch up within " + std::to_string(drain_timeout.count()) + " s");
  if (!status->ok()) fail("catching up, the consumer ended with " + status->to_string());
  Verdict verdict = look(Moment::at_end);
  if (options_.outlet) look_at_outlet(verdict);
  if (const std::string word = integrity(place_.store); word != "ok") fail("the store is damaged: " + word);
  return verdict;
}

Verdict Chapter::look(Moment moment) {
  try {
    Evidence evidence = gather(place_, broker_, stream_.sent(), options_.idem, Stream::retention);
    Verdict of_calls;
    if (options_.service) {
      const auto calls = options_.service->calls();
      evidence.effects = effects_of(calls);
      of_calls = look_at_calls(calls);
    }
    Verdict verdict = check(stream_.sent(), evidence, moment, options_.kind.ordering != std::string_view("unordered"));
    verdict.add(of_calls);
    return verdict;
  } catch (const std::exception& error) {
    fail(std::string("what is there cannot be read: ") + error.what());
  }
}

void Chapter::look_at_outlet(Verdict& verdict) {
  const auto sent = effects_in(place_.store);
  const RelayVerdict relayed = check_relayed(sent, options_.outlet->take_all(options_.topic));
  copies_relayed_ = relayed.copies;
  verdict.add(relayed.verdict);
}

Verdict Chapter::look_at_calls(const std::vector<Call>& calls) {
  const CallVerdict verdict = check_calls(calls);
  calls_ = calls.size();
  calls_repeated_ = verdict.repeats;
  calls_unanswered_ = verdict.unanswered;
  return verdict.verdict;
}

Process Chapter::start(const std::string& until, const std::string& failpoints) {
  static constexpr int group_sizes[] = {1, 5, 20, 100, 1'000};
  const auto any = [&](std::size_t limit) { return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_); };
  test::ProcessOptions environment{.output = log_, .errors = log_};
  if (!failpoints.empty()) environment.environment["IDEM_FAILPOINT"] = failpoints;
  std::vector<std::string> words = {
      options_.consumer,
      "topic=" + place_.topic,
      "group=" + place_.group,
      "store=" + place_.store.string(),
      "mode=" + std::string(options_.kind.mode),
      "ordering=" + std::string(options_.kind.ordering),
      "until=" + until,
      "retention_ms=" + std::to_string(std::chrono::milliseconds(Stream::retention).count()),
      "group_messages=" + std::to_string(group_sizes[any(std::size(group_sizes))]),
      "slow_us=" + std::to_string(until == "caught_up" ? 0 : 40 * any(3))};
  for (const std::string& word : broker_.arguments()) words.push_back(word);
  if (options_.outlet)
    for (const std::string& word : options_.outlet->arguments(options_.topic)) words.push_back(word);
  if (options_.service) {
    for (const std::string& word : options_.service->arguments()) words.push_back(word);
    words.push_back("life=" + std::to_string(++lives_));
    words.push_back("claims=" + std::string(options_.claims ? "durable" : "in_memory"));
    words.push_back("resolve=" + std::to_string(any(4) == 0));
  }
  return Process(words, environment);
}

void Chapter::send(std::size_t count) {
  if (full()) return;
  stream_.accepted(broker_.produce(options_.topic, stream_.next(count)));
}

void Chapter::fail(const std::string& what) { throw ChapterFailed(what + "\n" + test::tail(log_, 15)); }

}  // namespace idem::kills
