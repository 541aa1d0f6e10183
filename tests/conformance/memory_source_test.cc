#include <idem/memory_source.h>

#include "source_suite.h"

namespace idem::conformance {
namespace {

class MemoryPlace final : public SourcePlace {
 public:
  std::string topic() const override { return "log"; }
  std::unique_ptr<Source> make_source() override { return std::make_unique<MemorySource>(log_); }
  std::vector<std::int64_t> append(std::int32_t partition, const std::vector<Copy>& messages) override {
    std::vector<std::int64_t> offsets;
    for (const Copy& message : messages)
      offsets.push_back(
          log_.append(partition, {message.key, message.payload, message.headers, std::nullopt}));
    return offsets;
  }
  std::optional<std::pair<std::int64_t, std::string>> committed(std::int32_t partition) override {
    return log_.committed(partition);
  }
  void commit(std::int32_t partition, std::int64_t next, const std::string& metadata) override {
    log_.commit(partition, next, metadata);
  }
  bool begin_take_away(Source& running) override {
    dynamic_cast<MemorySource&>(running).revoke(1);
    return true;
  }

 private:
  MemoryLog log_{"log", partitions};
};

INSTANTIATE_TEST_SUITE_P(Sources, SourceSuite,
                         testing::Values(PlaceFactory{"memory",
                                                      [] { return std::make_unique<MemoryPlace>(); }}),
                         place_name);

}  // namespace
}  // namespace idem::conformance
