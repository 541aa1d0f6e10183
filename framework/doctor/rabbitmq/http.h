// One HTTP question at a time. Behind it is cpp-httplib, or nothing where the build had none.
#pragma once

#include <chrono>
#include <string>

#include <idem/rabbitmq.h>

namespace idem::doctor {

struct HttpServer {
  bool tls = false;
  std::string address;  ///< host:port
  std::string user, password;
  RabbitTls tls_options;
  std::chrono::milliseconds timeout{};
};

struct HttpAnswer {
  std::string error;  ///< why there is no answer; never with a password in it
  int status = 0;
  std::string body;
};

/// `path` is sent as it is: percent-encoded by the caller.
HttpAnswer http_get(const HttpServer& server, const std::string& path);

}  // namespace idem::doctor
