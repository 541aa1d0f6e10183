#include "progress_line.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

namespace quickstart {

ProgressLine::ProgressLine(std::string name, std::size_t messages, std::size_t kills)
    : name_(std::move(name)), messages_(messages), kills_(kills), terminal_(isatty(STDOUT_FILENO)) {}

ProgressLine::~ProgressLine() {
  if (terminal_) std::printf("\n");
}

void ProgressLine::show(std::size_t sent, std::size_t booked) {
  sent_ = sent;
  booked_ = booked;
  if (terminal_) draw();
}

void ProgressLine::killed(std::size_t sent, std::size_t booked) {
  killed_at_.push_back(sent);
  show(sent, booked);
  if (terminal_) return;
  std::printf("  %-9s kill -9 number %2zu of %zu, with %6s sent and %6s booked\n", name_.c_str(),
              killed_at_.size(), kills_, grouped(sent).c_str(), grouped(booked).c_str());
  std::fflush(stdout);
}

// The bar is the stream as far as it was sent, with an x where the consumer was killed.
void ProgressLine::draw() const {
  constexpr std::size_t width = 30;
  const auto place = [this](std::size_t sent) { return std::min(sent * width / messages_, width - 1); };
  std::string bar(width, '.');
  if (sent_ > 0) std::fill_n(bar.begin(), place(sent_) + 1, '=');
  for (const std::size_t sent : killed_at_) bar[place(sent)] = 'x';
  std::printf("\r  %-9s [%s] %6s sent, %6s booked, %2zu of %zu kills", name_.c_str(), bar.c_str(),
              grouped(sent_).c_str(), grouped(booked_).c_str(), killed_at_.size(), kills_);
  std::fflush(stdout);
}

std::string grouped(std::size_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, 1, ',');
  return digits;
}

}  // namespace quickstart
