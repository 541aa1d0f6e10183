// Shows how a run goes: on a terminal one line that redraws itself, elsewhere a plain line for each kill.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace quickstart {

class ProgressLine {
 public:
  ProgressLine(std::string name, std::size_t messages, std::size_t kills);
  ~ProgressLine();

  /// How much was sent and booked by now.
  void show(std::size_t sent, std::size_t booked);
  /// The consumer was just killed.
  void killed(std::size_t sent, std::size_t booked);

 private:
  void draw() const;

  const std::string name_;
  const std::size_t messages_, kills_;
  const bool terminal_;
  std::size_t sent_ = 0, booked_ = 0;
  std::vector<std::size_t> killed_at_;  // in messages sent
};

/// 12345678 → "12,345,678"
std::string grouped(std::size_t number);

}  // namespace quickstart
