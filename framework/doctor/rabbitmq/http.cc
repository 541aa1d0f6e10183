#include "doctor/rabbitmq/http.h"

#include <httplib.h>

namespace idem::doctor {

HttpAnswer http_get(const HttpServer& server, const std::string& path) {
  httplib::Client client((server.tls ? "https://" : "http://") + server.address);
  if (!client.is_valid()) return {.error = "cannot make an HTTP client for " + server.address};
  client.set_connection_timeout(server.timeout);
  client.set_read_timeout(server.timeout);
  client.set_url_encode(false);
  client.set_basic_auth(server.user, server.password);
  if (server.tls) {
    client.enable_server_certificate_verification(server.tls_options.verify);
    if (!server.tls_options.ca_file.empty()) client.set_ca_cert_path(server.tls_options.ca_file);
  }
  const httplib::Result answer = client.Get(path);
  if (!answer) return {.error = "no answer from " + server.address + ": " + httplib::to_string(answer.error())};
  return {.status = answer->status, .body = answer->body};
}

}  // namespace idem::doctor
