// A real RabbitMQ for tests, in a scratch directory of its own on free loopback ports.
//
//   IDEM_NEEDS("rabbitmq", RabbitBroker::unavailable());  // require.h
//   RabbitBroker& broker = RabbitBroker::shared();
//   source.uri = broker.uri();
//
// shared() is the one to use where the test does not harm the server: it is started once, by tests/run for all test
// programs or else by the first use in this one. A test that kills the server or wants settings of its own constructs
// its own, which takes about five seconds. Nothing of the distribution's own service is used.
//
// The server dies with the object, and by the kernel's hand with this process. One thread kills and restarts. All
// calls throw std::runtime_error when they fail; a server that does not start throws with the end of its log.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "process.h"
#include "scratch.h"

namespace idem::test {

struct RabbitBrokerOptions {
  // Added to rabbitmq.conf, or replacing what is there.
  std::map<std::string, std::string> settings = {};
  // advanced.config, in Erlang's own notation: what rabbitmq.conf has no name for.
  std::string advanced = {};
  // Starts the management plugin, which takes some seconds more.
  bool management = false;
  std::chrono::seconds start_timeout{90};
};

class RabbitBroker {
 public:
  using Options = RabbitBrokerOptions;

  // Why no server can run on this machine; nullopt when one can.
  static std::optional<std::string> unavailable();

  // The server shared by all tests: the one at $IDEM_RABBIT_URI, or one per process.
  static RabbitBroker& shared();

  // Returns when the server accepts connections.
  explicit RabbitBroker(Options options = {});
  ~RabbitBroker();
  RabbitBroker(const RabbitBroker&) = delete;
  RabbitBroker& operator=(const RabbitBroker&) = delete;

  // amqp://guest:guest@127.0.0.1:PORT/%2f
  const std::string& uri() const { return uri_; }
  // The same server with another user, password or vhost.
  std::string uri(const std::string& user, const std::string& password, const std::string& vhost = "%2f") const;
  int port() const { return port_; }
  // The management plugin's HTTP API, host:port.
  std::string management() const { return "127.0.0.1:" + std::to_string(management_port_); }
  const std::filesystem::path& directory() const { return scratch_->path(); }

  void kill();     // SIGKILL; what was declared within the last seconds is lost with it unless sync() was called
  void sync();     // the server's own tables are on disk: it writes them with some delay
  void pause();    // SIGSTOP: connections stay, nothing answers
  void resume();   // SIGCONT
  void restart();  // after kill(), else kills first: same data, same ports; returns when it accepts connections

  // rabbitmqctl with these arguments, for what only an operator can do; answers what it printed. Takes seconds.
  std::string ctl(const std::vector<std::string>& arguments);
  // Evaluates an Erlang expression inside the server.
  std::string eval(const std::string& expression) { return ctl({"eval", expression}); }

 private:
  struct AttachTo {
    std::string uri;
  };
  explicit RabbitBroker(const AttachTo& other);

  void prepare();  // chooses ports and writes the configuration
  bool start();    // false when the chosen ports turned out to be taken
  Process& own_process();
  std::map<std::string, std::string> environment() const;

  Options options_;
  bool shared_ = false;
  std::optional<Scratch> scratch_;  // none when attached to a server that somebody else started
  std::optional<Process> epmd_;     // Erlang's port mapper: started here, for the server would leave it running
  std::optional<Process> process_;
  int port_ = 0, distribution_port_ = 0, epmd_port_ = 0, ctl_port_ = 0, management_port_ = 0;
  std::string uri_;
};

}  // namespace idem::test
