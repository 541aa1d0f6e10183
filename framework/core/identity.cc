#include <idem/identity.h>

namespace idem {

std::optional<std::string_view> Identity::find(const Message& message, std::string& scratch) const {
  std::optional<std::string_view> id;
  switch (kind_) {
    case Kind::unset:
    case Kind::position:
      return std::nullopt;
    case Kind::header:
      id = message.header(header_);
      break;
    case Kind::key:
      id = message.key;
      break;
    case Kind::function:
      try {
        if (auto made = function_(message)) {
          scratch = std::move(*made);
          id = scratch;
        }
      } catch (...) {
        return std::nullopt;  // a function that cannot tell has found no id
      }
      break;
  }
  if (id && id->empty()) return std::nullopt;
  return id;
}

Identity id_from_header(std::string name) {
  Identity identity;
  identity.kind_ = Identity::Kind::header;
  identity.header_ = std::move(name);
  return identity;
}

Identity id_from_key() {
  Identity identity;
  identity.kind_ = Identity::Kind::key;
  return identity;
}

Identity id_from_position() {
  Identity identity;
  identity.kind_ = Identity::Kind::position;
  return identity;
}

Identity id_from(Identity::Function function) {
  Identity identity;
  identity.kind_ = Identity::Kind::function;
  identity.function_ = std::move(function);
  return identity;
}

}  // namespace idem
