#include "runtime/dead_letter.h"

#include <string>

namespace idem::runtime {

OutgoingMessage dead_letter_of(const Message& message, const Conclusion& conclusion) {
  OutgoingMessage out;
  out.key = message.key;
  out.payload = message.payload;
  out.id = message.id;
  for (const Header& header : message.headers) out.headers.emplace_back(header.name, header.value);
  out.headers.emplace_back("idem-reason", to_string(conclusion.reason));
  out.headers.emplace_back("idem-why", conclusion.why);
  out.headers.emplace_back("idem-topic", message.topic);
  out.headers.emplace_back("idem-partition", std::to_string(message.partition));
  out.headers.emplace_back("idem-offset", std::to_string(message.offset));
  out.headers.emplace_back("idem-attempts", std::to_string(conclusion.attempts));
  return out;
}

}  // namespace idem::runtime
