// What a channel's answers mean for the messages sent on it.
#include "publishers/rabbitmq/confirm_window.h"

#include <gtest/gtest.h>

#include <random>

namespace idem::rabbit {
namespace {

using Known = PublishResult::Known;
using Tickets = std::vector<publish::Ticket>;

struct Window : testing::Test {
  void send(int count, publish::Ticket first = 100) {
    for (int i = 0; i < count; ++i) window.sent(first + i, "id" + std::to_string(first + i), now += tick);
  }
  /// "100 stored, 101 refused"
  std::string settled() {
    std::string text;
    for (const auto& answer : answers)
      text += (text.empty() ? "" : ", ") + std::to_string(answer.ticket) + " " + to_string(answer.known);
    answers.clear();
    return text;
  }

  static constexpr std::chrono::milliseconds tick{1};
  ConfirmWindow window;
  ConfirmWindow::TimePoint now{};
  std::vector<ConfirmWindow::Settled> answers;
};

TEST_F(Window, acks_one_by_one_in_any_order) {
  send(3);
  EXPECT_TRUE(window.ack(2, false, answers));
  EXPECT_EQ(settled(), "101 stored");
  EXPECT_EQ(window.outstanding(), 2u);
  EXPECT_TRUE(window.ack(1, false, answers));
  EXPECT_TRUE(window.ack(3, false, answers));
  EXPECT_EQ(settled(), "100 stored, 102 stored");
  EXPECT_EQ(window.outstanding(), 0u);
}

TEST_F(Window, multiple_acks_all_below_that_are_not_answered) {
  send(5);
  EXPECT_TRUE(window.ack(2, false, answers));
  answers.clear();
  EXPECT_TRUE(window.ack(4, true, answers));
  EXPECT_EQ(settled(), "100 stored, 102 stored, 103 stored");
  EXPECT_EQ(window.tickets(), (Tickets{104}));
}

TEST_F(Window, zero_with_multiple_means_all_of_them) {
  send(3);
  EXPECT_TRUE(window.ack(0, true, answers));
  EXPECT_EQ(settled(), "100 stored, 101 stored, 102 stored");
}

TEST_F(Window, a_nack_overtakes_the_acks_of_earlier_messages) {
  send(3);
  EXPECT_TRUE(window.nack(3, false, answers));
  EXPECT_EQ(settled(), "102 refused");
  EXPECT_TRUE(window.ack(3, true, answers)) << "the refused one is not stored by this";
  EXPECT_EQ(settled(), "100 stored, 101 stored");
}

TEST_F(Window, several_nacked_at_once) {
  send(3);
  EXPECT_TRUE(window.nack(2, true, answers));
  EXPECT_EQ(settled(), "100 refused, 101 refused");
}

TEST_F(Window, what_came_back_is_not_stored_though_it_is_acked) {
  send(3);
  EXPECT_TRUE(window.returned("id101", "no route"));
  EXPECT_TRUE(answers.empty()) << "not before the ack";
  EXPECT_EQ(window.outstanding(), 3u);
  EXPECT_TRUE(window.ack(3, true, answers));
  EXPECT_EQ(answers[1].why, "no route");
  EXPECT_EQ(settled(), "100 stored, 101 returned, 102 stored");
}

TEST_F(Window, the_same_answer_twice_counts_once) {
  send(2);
  EXPECT_TRUE(window.ack(1, false, answers));
  EXPECT_TRUE(window.ack(1, false, answers));
  EXPECT_TRUE(window.nack(1, false, answers));
  EXPECT_TRUE(window.ack(1, true, answers));
  EXPECT_EQ(settled(), "100 stored");
  EXPECT_EQ(window.outstanding(), 1u);
}

TEST_F(Window, answers_to_what_was_never_sent_are_noticed) {
  EXPECT_FALSE(window.ack(1, false, answers));
  send(2);
  EXPECT_FALSE(window.ack(3, false, answers));
  EXPECT_FALSE(window.nack(3, true, answers));
  EXPECT_FALSE(window.ack(0, false, answers));
  EXPECT_FALSE(window.returned("id99", ""));
  EXPECT_TRUE(answers.empty());
  EXPECT_EQ(window.outstanding(), 2u);
}

TEST_F(Window, a_new_channel_counts_from_one_again) {
  send(4);
  EXPECT_TRUE(window.ack(2, false, answers));
  EXPECT_TRUE(window.returned("id102", "no route"));
  EXPECT_EQ(window.clear(), (Tickets{100, 102, 103}));
  EXPECT_EQ(window.outstanding(), 0u);
  EXPECT_FALSE(window.holds("id103"));
  answers.clear();
  send(2, 102);
  EXPECT_TRUE(window.ack(1, true, answers));
  EXPECT_EQ(settled(), "102 stored") << "what came back on the old channel is forgotten with it";
}

TEST_F(Window, ids_leave_it_with_their_answers) {
  send(2);
  EXPECT_TRUE(window.holds("id100"));
  EXPECT_TRUE(window.ack(1, false, answers));
  EXPECT_FALSE(window.holds("id100"));
  EXPECT_TRUE(window.holds("id101"));
  EXPECT_FALSE(window.returned("id100", "")) << "answered already";
}

TEST_F(Window, the_oldest_is_the_oldest_unanswered) {
  EXPECT_FALSE(window.oldest());
  send(3);
  const auto first = now - 2 * tick;
  EXPECT_EQ(*window.oldest(), first);
  EXPECT_TRUE(window.ack(2, false, answers));
  EXPECT_EQ(*window.oldest(), first);
  EXPECT_TRUE(window.ack(1, false, answers));
  EXPECT_EQ(*window.oldest(), now);
}

// Against a model that is too simple to be wrong.
TEST_F(Window, whatever_comes_each_message_is_answered_once) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    window.clear();
    std::map<std::uint64_t, char> open;  // number → 'w'aits or came 'b'ack
    std::map<publish::Ticket, std::string> expected, got;
    std::uint64_t sent = 0;
    for (int step = 0; step < 200; ++step) {
      const auto dice = random() % 10;
      if (dice < 5 || sent == 0) {
        ++sent;
        window.sent(sent * 7, std::to_string(sent), now);
        open[sent] = 'w';
        continue;
      }
      const std::uint64_t number = 1 + random() % sent;
      if (dice == 5) {
        EXPECT_EQ(window.returned(std::to_string(number), "r"), open.contains(number));
        if (open.contains(number)) open[number] = 'b';
        continue;
      }
      const bool good = dice < 9, multiple = random() % 3 == 0;
      for (auto it = open.begin(); it != open.end();) {
        if (it->first == number || (multiple && it->first < number)) {
          expected[it->first * 7] = it->second == 'b' ? "returned" : good ? "stored" : "refused";
          it = open.erase(it);
        } else {
          ++it;
        }
      }
      EXPECT_TRUE(good ? window.ack(number, multiple, answers) : window.nack(number, multiple, answers));
      for (const auto& answer : answers) EXPECT_TRUE(got.emplace(answer.ticket, to_string(answer.known)).second);
      answers.clear();
    }
    EXPECT_EQ(got, expected);
    EXPECT_EQ(window.outstanding(), open.size());
  }
}

}  // namespace
}  // namespace idem::rabbit
