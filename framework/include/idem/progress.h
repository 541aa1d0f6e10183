// How far one partition is done: the watermark and the finished offsets above it.
//
// Offsets in a log have gaps (compaction, transaction markers), so a finished message closes the whole range from
// the position after the previously received message up to and including itself. Ranges that touch merge. There are
// never more ranges than unfinished messages plus one, so this stays small however far a stuck message lags.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace idem {

class Progress {
 public:
  /// Offsets [begin, end) are done. `last` is the highest real message in it and `print` what that message looked
  /// like (0: not known): by it a recreated topic is told from the old one.
  struct Range {
    std::int64_t begin = 0;
    std::int64_t end = 0;
    std::int64_t last = -1;
    std::uint64_t print = 0;
    friend bool operator==(const Range&, const Range&) = default;
  };

  /// Nothing is done and the position is not known: the partition was never read.
  Progress() = default;
  /// Everything below `watermark` is done (or was never ours).
  explicit Progress(std::int64_t watermark) { reset(watermark); }

  /// True once a position is known.
  bool started() const { return !ranges_.empty(); }
  /// The next offset to read: the end of the finished prefix. Only if started().
  std::int64_t watermark() const { return ranges_.front().end; }
  /// The highest real message below the watermark and its print; nullopt if none is known.
  std::optional<Range> last_record() const;

  bool contains(std::int64_t offset) const;
  /// Forget everything and start at `watermark`.
  void reset(std::int64_t watermark);

  /// The message at `offset`, received directly after position `from`, is finished. Idempotent.
  void finish(std::int64_t from, std::int64_t offset, std::uint64_t print) { add({from, offset + 1, offset, print}); }
  /// [from, to) holds no message (a trailing transaction marker, a compacted tail).
  void skip(std::int64_t from, std::int64_t to) { if (from < to) add({from, to, -1, 0}); }

  /// In order of begin, none touching another; the first one is the prefix.
  const std::vector<Range>& ranges() const { return ranges_; }

  /// A compact, versioned form for a store to keep. decode() throws std::runtime_error on anything else.
  std::string encode() const;
  static Progress decode(std::string_view bytes);

  friend bool operator==(const Progress&, const Progress&) = default;

 private:
  void add(Range range);
  std::vector<Range> ranges_;
};

}  // namespace idem
