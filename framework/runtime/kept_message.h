// A message as a store in memory keeps it whole: idem's own, and the simulator's.
#pragma once

#include <string>

#include <idem/store.h>

namespace idem::runtime {

/// All of it but its number.
inline void keep(KeptMessage& kept, const Record& record, const Conclusion& conclusion) {
  const Message& m = *record.message;
  kept.partition = {std::string(m.topic), m.partition};
  kept.offset = m.offset;
  kept.key = m.key;
  kept.payload = m.payload;
  for (const Header& h : m.headers) kept.headers.emplace_back(h.name, h.value);
  kept.timestamp = m.timestamp;
  kept.id = m.id;
  kept.why = conclusion.why;
  kept.attempts = conclusion.attempts;
}

}  // namespace idem::runtime
