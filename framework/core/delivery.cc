#include "core/delivery.h"

#include <algorithm>
#include <cstring>

namespace idem::core {
namespace {

constexpr std::size_t largest_kept_buffer = 64 << 10;

}  // namespace

void Delivery::assign(const Message& from, std::string_view topic) {
  std::size_t need = from.payload.value_or("").size() + from.key.value_or("").size();
  for (const Header& h : from.headers) need += h.name.size() + h.value.value_or("").size();
  if (need > capacity_ || capacity_ > std::max(need, largest_kept_buffer)) {
    buffer_ = std::make_unique_for_overwrite<char[]>(need);
    capacity_ = need;
  }
  char* end = buffer_.get();
  auto copy = [&end](std::string_view bytes) {
    if (!bytes.empty()) std::memcpy(end, bytes.data(), bytes.size());
    std::string_view copied(end, bytes.size());
    end += bytes.size();
    return copied;
  };
  message = from;
  message.topic = topic;
  if (from.key) message.key = copy(*from.key);
  if (from.payload) message.payload = copy(*from.payload);
  headers_.clear();
  for (const Header& h : from.headers) {
    Header own{copy(h.name), std::nullopt};
    if (h.value) own.value = copy(*h.value);
    headers_.push_back(own);
  }
  message.headers = headers_;
}

}  // namespace idem::core
