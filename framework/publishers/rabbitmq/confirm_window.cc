#include "publishers/rabbitmq/confirm_window.h"

#include <utility>

namespace idem::rabbit {

void ConfirmWindow::sent(Ticket ticket, std::string_view id, TimePoint now) {
  numbers_.emplace(id, first_ + sent_.size());
  sent_.push_back({ticket, std::string(id), now, false, false, {}});
  ++outstanding_;
}

bool ConfirmWindow::returned(std::string_view id, std::string why) {
  const auto found = numbers_.find(std::string(id));
  if (found == numbers_.end()) return false;
  Sent& sent = sent_[found->second - first_];
  sent.came_back = true;
  sent.why = std::move(why);
  return true;
}

bool ConfirmWindow::ack(std::uint64_t number, bool multiple, std::vector<Settled>& settled) {
  return answer(number, multiple, true, settled);
}

bool ConfirmWindow::nack(std::uint64_t number, bool multiple, std::vector<Settled>& settled) {
  return answer(number, multiple, false, settled);
}

bool ConfirmWindow::answer(std::uint64_t number, bool multiple, bool good, std::vector<Settled>& settled) {
  if (number == 0 && multiple) number = last();  // AMQP: all there are
  if (number > last() || (number == 0 && !multiple)) return false;
  if (multiple) {
    for (std::uint64_t i = first_; i <= number; ++i) settle(sent_[i - first_], good, settled);
  } else if (number >= first_) {
    settle(sent_[number - first_], good, settled);
  }
  for (; !sent_.empty() && sent_.front().answered; sent_.pop_front()) ++first_;
  return true;
}

void ConfirmWindow::settle(Sent& sent, bool good, std::vector<Settled>& settled) {
  if (std::exchange(sent.answered, true)) return;
  --outstanding_;
  numbers_.erase(sent.id);
  if (sent.came_back)
    settled.push_back({sent.ticket, Known::returned, std::move(sent.why)});
  else if (good)
    settled.push_back({sent.ticket, Known::stored, {}});
  else
    settled.push_back({sent.ticket, Known::refused, {}});
}

std::vector<ConfirmWindow::Ticket> ConfirmWindow::tickets() const {
  std::vector<Ticket> unanswered;
  for (const Sent& sent : sent_)
    if (!sent.answered) unanswered.push_back(sent.ticket);
  return unanswered;
}

std::vector<ConfirmWindow::Ticket> ConfirmWindow::clear() {
  std::vector<Ticket> unanswered = tickets();
  *this = ConfirmWindow{};
  return unanswered;
}

std::optional<ConfirmWindow::TimePoint> ConfirmWindow::oldest() const {
  // The front is always unanswered.
  return sent_.empty() ? std::nullopt : std::optional(sent_.front().at);
}

}  // namespace idem::rabbit
