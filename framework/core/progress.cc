#include <idem/progress.h>

#include <algorithm>
#include <stdexcept>

namespace idem {
namespace {

constexpr char format_version = 1;

void put(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

std::uint64_t get(std::string_view& in) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !in.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(in.front());
    in.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  throw std::runtime_error("idem: a stored progress is damaged (number cut short)");
}

}  // namespace

void Progress::reset(std::int64_t watermark) { ranges_.assign(1, Range{0, watermark, -1, 0}); }

std::optional<Progress::Range> Progress::last_record() const {
  if (ranges_.empty() || ranges_.front().last < 0) return std::nullopt;
  return ranges_.front();
}

bool Progress::contains(std::int64_t offset) const {
  auto after = std::upper_bound(ranges_.begin(), ranges_.end(), offset,
                                [](std::int64_t o, const Range& r) { return o < r.begin; });
  return after != ranges_.begin() && offset < std::prev(after)->end;
}

void Progress::add(Range range) {
  // Nearly always the new range continues the prefix or the last range: look from the back.
  auto at = ranges_.end();
  while (at != ranges_.begin() && std::prev(at)->begin > range.begin) --at;
  if (at != ranges_.begin() && std::prev(at)->end >= range.begin) {
    --at;  // touches its predecessor: grow that one
    if (range.end <= at->end) return;
    at->end = range.end;
    if (range.last > at->last) {
      at->last = range.last;
      at->print = range.print;
    }
  } else {
    at = ranges_.insert(at, range);
  }
  auto next = std::next(at);
  auto last = next;
  for (; last != ranges_.end() && last->begin <= at->end; ++last) {
    at->end = std::max(at->end, last->end);
    if (last->last > at->last) {
      at->last = last->last;
      at->print = last->print;
    }
  }
  ranges_.erase(next, last);
}

std::string Progress::encode() const {
  std::string out(1, format_version);
  put(out, ranges_.size());
  std::int64_t before = 0;
  for (const Range& r : ranges_) {
    put(out, static_cast<std::uint64_t>(r.begin - before));
    put(out, static_cast<std::uint64_t>(r.end - r.begin));
    put(out, static_cast<std::uint64_t>(r.last < 0 ? 0 : r.end - r.last));
    if (r.last >= 0) put(out, r.print);
    before = r.end;
  }
  return out;
}

Progress Progress::decode(std::string_view bytes) {
  if (bytes.empty() || bytes.front() != format_version)
    throw std::runtime_error("idem: a stored progress has an unknown format");
  bytes.remove_prefix(1);
  Progress progress;
  std::int64_t before = 0;
  const std::uint64_t count = get(bytes);
  for (std::uint64_t i = 0; i < count; ++i) {
    Range r;
    r.begin = before + static_cast<std::int64_t>(get(bytes));
    r.end = r.begin + static_cast<std::int64_t>(get(bytes));
    const auto back = static_cast<std::int64_t>(get(bytes));
    if (back > 0) {
      r.last = r.end - back;
      r.print = get(bytes);
    }
    if (r.end < r.begin || (i > 0 && r.begin <= before))
      throw std::runtime_error("idem: a stored progress is damaged (ranges out of order)");
    progress.ranges_.push_back(r);
    before = r.end;
  }
  if (!bytes.empty()) throw std::runtime_error("idem: a stored progress is damaged (trailing bytes)");
  return progress;
}

}  // namespace idem
