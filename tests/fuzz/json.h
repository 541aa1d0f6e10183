// Whether a text is one JSON value. Bytes above 0x7f are taken as they are inside strings.
#pragma once

#include <string_view>

namespace idem::fuzz {

class JsonReader {
 public:
  explicit JsonReader(std::string_view text) : rest_(text) {}
  bool whole() { return value() && rest_.empty(); }

 private:
  bool take(std::string_view expected) {
    if (!rest_.starts_with(expected)) return false;
    rest_.remove_prefix(expected.size());
    return true;
  }
  bool value() {
    if (take("{")) return list("}", [this] { return string() && take(":") && value(); });
    if (take("[")) return list("]", [this] { return value(); });
    return take("true") || take("false") || take("null") || string() || number();
  }
  template <class Item>
  bool list(std::string_view end, Item item) {
    if (take(end)) return true;
    do {
      if (!item()) return false;
    } while (take(","));
    return take(end);
  }
  bool string() {
    if (!take("\"")) return false;
    while (!rest_.empty() && !take("\"")) {
      if (take("\\u")) {
        for (int i = 0; i < 4; ++i)
          if (!one_of("0123456789abcdef")) return false;
      } else if (take("\\")) {
        if (!one_of("\"\\")) return false;
      } else if (static_cast<unsigned char>(rest_.front()) < 0x20) {
        return false;
      } else {
        rest_.remove_prefix(1);
      }
      if (rest_.empty()) return false;
    }
    return true;
  }
  bool number() {
    take("-");
    if (!take("0") && !digits()) return false;
    if (take(".") && !digits()) return false;
    if (!take("e")) return true;
    if (!take("+")) take("-");
    return digits();
  }
  bool digits() {
    if (!one_of("0123456789")) return false;
    while (one_of("0123456789")) {
    }
    return true;
  }
  bool one_of(std::string_view letters) {
    if (rest_.empty() || letters.find(rest_.front()) == std::string_view::npos) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::string_view rest_;
};

inline bool is_json(std::string_view text) { return JsonReader(text).whole(); }

}  // namespace idem::fuzz
