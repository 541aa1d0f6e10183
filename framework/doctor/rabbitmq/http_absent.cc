#include "doctor/rabbitmq/http.h"

namespace idem::doctor {

HttpAnswer http_get(const HttpServer&, const std::string&) {
  return {.error = "idem was built without cpp-httplib (Debian package libcpp-httplib-dev), and so without HTTP"};
}

}  // namespace idem::doctor
