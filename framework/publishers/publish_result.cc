#include <idem/publish_result.h>

namespace idem {

const char* to_string(PublishResult::Known known) {
  switch (known) {
    case PublishResult::Known::stored:
      return "stored";
    case PublishResult::Known::refused:
      return "refused";
    case PublishResult::Known::returned:
      return "returned";
    case PublishResult::Known::unknown:
      return "unknown";
  }
  return "";
}

}  // namespace idem
