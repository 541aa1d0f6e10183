#include "sim/reader.h"

namespace idem::sim {

SimMessage::SimMessage(const Sent& sent, std::int64_t offset, bool with_place) {
  message_.topic = "t";
  message_.partition = sent.partition;
  message_.offset = offset;
  if (sent.key != Sent::none) message_.key = key_text(sent.key);
  message_.payload = payload_text(sent.payload);
  message_.timestamp = sent.time;
  std::size_t count = 0;
  if (sent.id != Sent::none) headers_[count++] = {"id", id_text(sent.id)};
  if (with_place) headers_[count++] = {place_header, place_text(sent.offset)};
  message_.headers = {headers_, count};
}

}  // namespace idem::sim
