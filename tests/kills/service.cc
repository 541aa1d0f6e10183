// Whom the killed consumer calls when its effect is elsewhere: a service that tells copies by the idempotency key and
// writes every call down before it answers. Never killed itself.
//
//   idem_kill_service record=FILE port_in=FILE seed=N
//
//   POST /effects        a call (call_headers.h); the payload says what becomes of it (act.h)
//   GET  /effects/KEY    200 or 404: whether there has been one
//
// In a message's first attempt also by chance: refused without effect (500), or its answer lost after the effect; and
// some calls take longer. Listens on a port of loopback that it writes into the file `port_in`.

#include <httplib.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>

#include "kills/act.h"
#include "kills/arguments.h"
#include "kills/call_headers.h"
#include "kills/calls.h"

namespace {

using namespace idem::kills;

class Service {
 public:
  Service(const std::string& record, std::uint64_t seed) : record_(record, std::ios::app), random_(seed) {}

  void called(const httplib::Request& request, httplib::Response& response) {
    const auto payload = Payload::parse(request.body);
    if (!payload) return refuse(response, 400);
    Call call = parse(request, payload->amount);
    linger();
    const int status = take(call, payload->act);
    linger();
    if (status != 200) return refuse(response, status);
    if (!call.answered) return lose(response);
    response.set_content("done", "text/plain");
  }

  bool had_effect(const std::string& key) {
    std::lock_guard lock(mutex_);
    return effects_.contains(key);
  }

 private:
  static Call parse(const httplib::Request& request, std::int64_t amount) {
    const auto text = [&](const char* name) { return request.get_header_value(name); };
    Call call;
    call.life = std::stoi(text(call_header::life));
    call.number = std::stoi(text(call_header::number));
    call.attempt = std::stoi(text(call_header::attempt));
    call.maybe_executed = text(call_header::maybe_executed) == "1";
    call.key = text(call_header::key);
    call.of = {text(call_header::message_id), std::stoi(text(call_header::partition)),
               std::stoll(text(call_header::place)), text(call_header::message_key), amount};
    return call;
  }

  // The effect, or none, and its line in the record. Answers the status.
  int take(Call& call, Act act) {
    std::lock_guard lock(mutex_);
    const bool first = call.attempt == 1;
    const auto one_in = [&](int n) { return std::uniform_int_distribution<int>(1, n)(random_) == 1; };
    int status = 200;
    if (act == Act::write_refuse) status = 422;
    if (act == Act::never || (first && act == Act::retry_first)) status = 503;
    if (act == Act::apply && first && one_in(20)) status = 500;
    if (status != 200)
      call.end = Call::End::refused;
    else
      call.end = effects_.insert(call.key).second ? Call::End::effect : Call::End::known;
    if (status == 200 && first) {
      call.answered = act != Act::write_retry && !(act == Act::apply && one_in(20));
      if (act == Act::write_throw) status = 500;  // and yet it had its effect
    }
    record_ << call << std::endl;
    return record_ ? status : throw std::runtime_error("the record cannot be written");
  }

  void linger() {
    long us = 0;
    {
      std::lock_guard lock(mutex_);
      us = std::uniform_int_distribution<long>(-20'000, 2'000)(random_);
    }
    if (us > 0) std::this_thread::sleep_for(std::chrono::microseconds(us));
  }

  static void refuse(httplib::Response& response, int status) { response.status = status; }

  // The connection is closed in the middle of the answer.
  static void lose(httplib::Response& response) {
    response.set_content_provider(4, "text/plain", [](std::size_t, std::size_t, httplib::DataSink&) { return false; });
  }

  std::mutex mutex_;
  std::ofstream record_;
  std::set<std::string> effects_;  // by key
  std::mt19937_64 random_;
};

// Whoever waits for the file finds all of it.
void write_port(const std::filesystem::path& file, int port) {
  const std::filesystem::path part = file.string() + ".part";
  std::ofstream(part) << port << std::endl;
  std::filesystem::rename(part, file);
}

int run(const Arguments& arguments) {
  Service service(arguments.text("record"), static_cast<std::uint64_t>(arguments.number("seed", 1)));
  httplib::Server server;
  server.set_tcp_nodelay(true);
  server.set_keep_alive_max_count(1'000'000);
  server.new_task_queue = [] { return new httplib::ThreadPool(16); };
  server.Post("/effects", [&](const auto& request, auto& response) { service.called(request, response); });
  server.Get("/effects/([0-9a-f]+)", [&](const auto& request, auto& response) {
    response.status = service.had_effect(request.matches[1]) ? 200 : 404;
  });
  const int port = server.bind_to_any_port("127.0.0.1");
  if (port < 0) throw std::runtime_error("cannot listen");
  write_port(arguments.text("port_in"), port);
  return server.listen_after_bind() ? 0 : 1;
}

}  // namespace

int main(int count, char** words) {
  try {
    return run(Arguments(count, words));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "idem_kill_service: %s\n", error.what());
    return 1;
  }
}
