#include "rabbit_broker.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "free_port.h"

namespace idem::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* binaries = "/usr/lib/rabbitmq/bin";

// The kernel ends only the start script with this process; the Erlang machine is its child. So somebody in the same
// process group looks whether this process ($1) is still there, and ends the group if it is not.
std::string guarded_server() {
  return std::string("(while kill -0 \"$1\" 2>/dev/null; do sleep 0.5; done; kill -KILL -- -$$) >/dev/null 2>&1 & exec ") +
         binaries + "/rabbitmq-server";
}

// A server that is ready answers the protocol header with a frame; one that is starting takes the connection and
// closes it, or refuses it.
bool answers(int port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<in_port_t>(port));
  bool ready = false;
  if (connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    const char hello[] = {'A', 'M', 'Q', 'P', 0, 0, 9, 1};
    pollfd readable{socket, POLLIN, 0};
    char byte = 0;
    ready = write(socket, hello, sizeof hello) == sizeof hello && poll(&readable, 1, 2'000) == 1 &&
            read(socket, &byte, 1) == 1 && byte == 1;
  }
  close(socket);
  return ready;
}

}  // namespace

std::optional<std::string> RabbitBroker::unavailable() {
  if (const char* running = std::getenv("IDEM_RABBIT_URI"); running && *running) return std::nullopt;
  if (std::filesystem::exists(std::string(binaries) + "/rabbitmq-server")) return std::nullopt;
  return "there is no rabbitmq-server in " + std::string(binaries) + " (Debian package rabbitmq-server)";
}

RabbitBroker& RabbitBroker::shared() {
  // Destroyed at exit, which ends a server that was started here.
  static const std::unique_ptr<RabbitBroker> broker = [] {
    const char* running = std::getenv("IDEM_RABBIT_URI");
    std::unique_ptr<RabbitBroker> result(running && *running ? new RabbitBroker(AttachTo{running}) : new RabbitBroker());
    result->shared_ = true;
    return result;
  }();
  return *broker;
}

RabbitBroker::RabbitBroker(const AttachTo& other) : uri_(other.uri) {
  port_ = std::stoi(uri_.substr(uri_.rfind(':') + 1));
  if (!answers(port_)) throw std::runtime_error("no RabbitMQ answers at IDEM_RABBIT_URI");
}

RabbitBroker::RabbitBroker(Options options) : options_(std::move(options)) {
  if (auto reason = unavailable()) throw std::runtime_error(*reason);
  // Between choosing a port and listening on it another process may be quicker.
  for (int attempt = 0; attempt < 5; ++attempt) {
    prepare();
    if (start()) return;
  }
  throw std::runtime_error("RabbitMQ found its ports taken, five times over");
}

RabbitBroker::~RabbitBroker() = default;

std::string RabbitBroker::uri(const std::string& user, const std::string& password, const std::string& vhost) const {
  return "amqp://" + user + ":" + password + "@127.0.0.1:" + std::to_string(port_) + "/" + vhost;
}

void RabbitBroker::prepare() {
  process_.reset();
  epmd_.reset();
  scratch_.emplace("rabbit");
  port_ = free_port();
  distribution_port_ = free_port();
  epmd_port_ = free_port();
  ctl_port_ = free_port();
  management_port_ = free_port();
  uri_ = uri("guest", "guest");

  std::map<std::string, std::string> settings = {{"listeners.tcp.1", "127.0.0.1:" + std::to_string(port_)},
                                                 {"log.file.level", "info"},
                                                 // A small test machine has less than what is reserved by default.
                                                 {"disk_free_limit.absolute", "50MB"}};
  if (options_.management) {
    settings["management.tcp.ip"] = "127.0.0.1";
    settings["management.tcp.port"] = std::to_string(management_port_);
  }
  for (const auto& [name, value] : options_.settings) settings[name] = value;
  std::ofstream conf(*scratch_ / "rabbitmq.conf");
  for (const auto& [name, value] : settings) conf << name << " = " << value << '\n';
  std::ofstream(*scratch_ / "plugins") << (options_.management ? "[rabbitmq_management].\n" : "[].\n");
  if (!options_.advanced.empty()) std::ofstream(*scratch_ / "advanced.config") << options_.advanced << '\n';
}

std::map<std::string, std::string> RabbitBroker::environment() const {
  const std::string directory = scratch_->path();
  return {{"HOME", directory},
          {"RABBITMQ_NODENAME", "idem" + std::to_string(port_) + "@localhost"},
          {"RABBITMQ_MNESIA_BASE", directory + "/mnesia"},
          {"RABBITMQ_LOG_BASE", directory + "/log"},
          {"RABBITMQ_CONFIG_FILE", directory + "/rabbitmq.conf"},
          {"RABBITMQ_ADVANCED_CONFIG_FILE", directory + "/advanced.config"},
          {"RABBITMQ_ENABLED_PLUGINS_FILE", directory + "/plugins"},
          {"RABBITMQ_DIST_PORT", std::to_string(distribution_port_)},
          {"RABBITMQ_CTL_DIST_PORT_MIN", std::to_string(ctl_port_)},
          {"RABBITMQ_CTL_DIST_PORT_MAX", std::to_string(ctl_port_)},
          // Idle schedulers of the Erlang machine spin by default, which costs the other tests their processors.
          {"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+sbwt none +sbwtdcpu none +sbwtdio none"},
          {"ERL_EPMD_ADDRESS", "127.0.0.1"},
          {"ERL_EPMD_PORT", std::to_string(epmd_port_)}};
}

bool RabbitBroker::start() {
  const auto log = *scratch_ / "server.log";
  const auto deadline = Clock::now() + options_.start_timeout;
  if (!epmd_ || !epmd_->running())
    epmd_.emplace(std::vector<std::string>{"epmd", "-port", std::to_string(epmd_port_), "-address", "127.0.0.1"},
                  ProcessOptions{.output = log, .errors = log});
  process_.emplace(std::vector<std::string>{"bash", "-c", guarded_server(), "rabbitmq", std::to_string(getpid())},
                   ProcessOptions{.environment = environment(), .output = log, .errors = log});
  for (;;) {
    if (answers(port_)) return true;
    const bool alive = process_->running();
    if (alive && Clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      continue;
    }
    const std::string said = tail(log, 40);
    if (!alive && said.find("eaddrinuse") != std::string::npos) return false;
    throw std::runtime_error("RabbitMQ did not start:\n" + said);
  }
}

Process& RabbitBroker::own_process() {
  if (shared_ || !process_) throw std::logic_error("this server is shared: other tests need it alive");
  return *process_;
}

void RabbitBroker::kill() { own_process().kill(); }
void RabbitBroker::sync() { eval("catch mnesia:sync_log(), [dets:sync(Table) || Table <- dets:all()]."); }
void RabbitBroker::pause() { own_process().pause(); }
void RabbitBroker::resume() { own_process().resume(); }

void RabbitBroker::restart() {
  own_process().kill();
  if (!start()) throw std::runtime_error("RabbitMQ's port was taken while it was down");
}

std::string RabbitBroker::ctl(const std::vector<std::string>& arguments) {
  if (!scratch_) throw std::logic_error("this server was started by somebody else");
  std::vector<std::string> command = {std::string(binaries) + "/rabbitmqctl", "-q"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  Finished finished = run(command, {.environment = environment()});
  if (!finished.status.ok()) throw std::runtime_error("rabbitmqctl " + arguments.front() + ": " + finished.output);
  return finished.output;
}

}  // namespace idem::test
