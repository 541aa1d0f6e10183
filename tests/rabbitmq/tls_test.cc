// amqps:// with a certificate authority of the test's own.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include <idem/rabbitmq_publisher.h>

#include "running_source.h"
#include "support/free_port.h"
#include "support/process.h"
#include "support/scratch.h"

namespace idem::test {
namespace {

/// Files made with the openssl program.
class Authority {
 public:
  explicit Authority(const Scratch& scratch) : scratch_(scratch) {
    openssl({"req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=idem test authority", "-keyout",
             path("ca.key"), "-out", path("ca.pem")});
  }
  std::string path(const std::string& name) const { return scratch_ / name; }
  /// Makes <name>.pem and <name>.key, good for the host "localhost".
  void certify(const std::string& name) {
    openssl({"req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", path(name + ".key"), "-out",
             path(name + ".csr")});
    openssl({"x509", "-req", "-in", path(name + ".csr"), "-CA", path("ca.pem"), "-CAkey", path("ca.key"), "-CAcreateserial",
             "-days", "2", "-out", path(name + ".pem")});
  }

 private:
  static void openssl(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "openssl");
    const Finished finished = run(arguments);
    if (!finished.status.ok()) throw std::runtime_error("openssl: " + finished.output);
  }
  const Scratch& scratch_;
};

struct RabbitTls : testing::Test {
  void SetUp() override {
    IDEM_NEEDS("rabbitmq", RabbitBroker::unavailable());
    authority.emplace(scratch);
    authority->certify("server");
    authority->certify("client");
    broker.emplace(RabbitBroker::Options{.settings = {{"listeners.ssl.1", "127.0.0.1:" + std::to_string(port)},
                                                      {"ssl_options.cacertfile", authority->path("ca.pem")},
                                                      {"ssl_options.certfile", authority->path("server.pem")},
                                                      {"ssl_options.keyfile", authority->path("server.key")},
                                                      {"ssl_options.verify", "verify_peer"},
                                                      {"ssl_options.fail_if_no_peer_cert", "true"}}});
    RabbitClient(broker->uri()).declare_queue("q");
    // The server accepts plain connections before it listens for the others.
    for (int tries = 0; tries < 300 && RunningRabbit(options()).refusal() != ""; ++tries)
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  std::string uri(const std::string& host) const {
    return "amqps://guest:guest@" + host + ":" + std::to_string(port);
  }
  idem::RabbitTls tls() const {
    return {authority->path("ca.pem"), authority->path("client.pem"), authority->path("client.key")};
  }
  RabbitOptions options(const std::string& host = "localhost") {
    RabbitOptions o = options_for(uri(host), "q");
    o.tls = tls();
    return o;
  }
  /// What a publisher says when it is not let in; "" if it is.
  std::string publisher_refused(const std::string& host, const idem::RabbitTls& tls) const {
    try {
      RabbitPublisher publisher({.uri = uri(host), .tls = tls});
    } catch (const std::runtime_error& e) {
      return e.what();
    }
    return "";
  }

  Scratch scratch{"tls"};
  int port = free_port();
  std::optional<Authority> authority;
  std::optional<RabbitBroker> broker;
};

// One test: the server behind it takes seconds to start.
TEST_F(RabbitTls, who_is_trusted_is_written_to_and_read_and_nobody_else) {
  {
    RabbitPublisher publisher({.uri = uri("localhost"), .tls = tls()});
    for (const std::string& payload : {std::string(500'000, 'x'), std::string("small")}) {
      const PublishResult result = publisher.publish({.routing_key = "q", .payload = payload});
      EXPECT_TRUE(result.stored()) << result.why;
    }
  }
  {
    RunningRabbit running(options());
    running.start();
    ASSERT_TRUE(running.until([&] { return running.received() >= 2; }));
    running.acknowledge(running.partition().offsets());
  }
  EXPECT_EQ(RabbitClient(broker->uri()).ready("q"), 0);

  Scratch elsewhere("tls");
  Authority other(elsewhere);
  RabbitOptions wrong_authority = options();
  wrong_authority.tls.ca_file = other.path("ca.pem");
  const std::string untrusted = RunningRabbit(wrong_authority).refusal();
  EXPECT_NE(untrusted.find("cannot connect"), std::string::npos) << untrusted;

  const std::string wrong_name = RunningRabbit(options("127.0.0.1")).refusal();
  EXPECT_NE(wrong_name.find("hostname"), std::string::npos) << wrong_name;

  RabbitOptions unverified = options("127.0.0.1");
  unverified.tls.verify = false;
  EXPECT_EQ(RunningRabbit(unverified).refusal(), "");

  const std::string to_nobody = publisher_refused("localhost", wrong_authority.tls);
  EXPECT_NE(to_nobody.find("cannot connect"), std::string::npos) << to_nobody;
  const std::string to_another = publisher_refused("127.0.0.1", tls());
  EXPECT_NE(to_another.find("hostname"), std::string::npos) << to_another;
  EXPECT_NE(publisher_refused("localhost", {.ca_file = authority->path("ca.pem")}), "") << "a certificate is asked for";

  RabbitOptions unnamed = options();
  unnamed.tls.certificate_file = unnamed.tls.key_file = "";
  EXPECT_NE(RunningRabbit(unnamed).refusal(), "") << "the server asks for a certificate";

  RabbitOptions no_file = options();
  no_file.tls.ca_file = "/no/such/ca.pem";
  const std::string unread = RunningRabbit(no_file).refusal();
  EXPECT_NE(unread.find("RabbitOptions::tls.ca_file \"/no/such/ca.pem\""), std::string::npos) << unread;
}

}  // namespace
}  // namespace idem::test
