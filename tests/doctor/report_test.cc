// What a report adds up to, and how it is shown.
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include <idem/doctor.h>

#include "doctor/words.h"
#include "findings.h"

namespace idem::test {
namespace {

using namespace std::chrono_literals;

const Check passing{"a.b", "topic", Verdict::pass, "3", ""};
const Check failing{"a.long.name", "topic", Verdict::fail, "1: one copy", "have more"};
const Check untold{"c", "queue", Verdict::unknown, "does not show", "look"};

TEST(DoctorReport, unknown_never_reads_as_pass) {
  EXPECT_EQ(exit_code({passing}), 0);
  EXPECT_EQ(exit_code({passing, untold}), 2);
  EXPECT_EQ(exit_code({untold, failing, passing}), 1);
  EXPECT_EQ(worst({untold, failing, passing}), Verdict::fail);
  EXPECT_EQ(worst({passing, untold}), Verdict::unknown);
  EXPECT_EQ(worst({passing}), Verdict::pass);
}

TEST(DoctorReport, nothing_looked_at_is_unknown) {
  EXPECT_EQ(worst({}), Verdict::unknown);
  EXPECT_EQ(exit_code({}), 2);
}

TEST(DoctorReport, text_has_a_line_for_each_check_and_the_remedies) {
  EXPECT_EQ(to_text({passing, failing, untold}),
            "pass     a.b          topic  3\n"
            "FAIL     a.long.name  topic  1: one copy\n"
            "         -> have more\n"
            "unknown  c            queue  does not show\n"
            "         -> look\n"
            "3 checks: 1 pass, 1 fail, 1 unknown\n");
}

TEST(DoctorReport, text_has_no_control_characters_of_others) {
  EXPECT_FALSE(says(to_text({{"a", "queue\x1b[2J\nx", Verdict::pass, "b\rc", ""}}), "\x1b"));
  EXPECT_EQ(to_text({{"a", "q\nx", Verdict::pass, "b\rc", ""}}),
            "pass     a  q x  b c\n1 check: 1 pass, 0 fail, 0 unknown\n");
}

TEST(DoctorReport, json_holds_everything) {
  const auto json = nlohmann::json::parse(to_json({passing, failing}));
  EXPECT_EQ(json["verdict"], "fail");
  EXPECT_EQ(json["exit_code"], 1);
  ASSERT_EQ(json["checks"].size(), 2u);
  EXPECT_EQ(json["checks"][1], (nlohmann::json{{"name", "a.long.name"},
                                               {"subject", "topic"},
                                               {"verdict", "fail"},
                                               {"reason", "1: one copy"},
                                               {"remedy", "have more"}}));
  EXPECT_EQ(nlohmann::json::parse(to_json({}))["checks"], nlohmann::json::array());
}

TEST(DoctorReport, json_is_json_whatever_a_queue_is_called) {
  const auto json = nlohmann::json::parse(to_json({{"a", "q\"\\\n\xff", Verdict::pass, "x", ""}}));
  EXPECT_EQ(json["checks"][0]["subject"], "q\"\\\n\xef\xbf\xbd");
}

TEST(DoctorReport, require_sound_lists_what_fails_and_nothing_else) {
  EXPECT_NO_THROW(require_sound({passing}));
  try {
    require_sound({passing, failing, untold});
    FAIL() << "did not throw";
  } catch (const NotSound& error) {
    const std::string text = error.what();
    EXPECT_TRUE(says(text, "1 of 3 checks failed")) << text;
    EXPECT_TRUE(says(text, "a.long.name of topic: 1: one copy; have more")) << text;
    EXPECT_FALSE(says(text, "does not show")) << text;
  }
}

// idem looks for its logger once.
std::ostringstream lines;
[[maybe_unused]] const bool registered = [] {
  spdlog::register_logger(
      std::make_shared<spdlog::logger>("idem", std::make_shared<spdlog::sinks::ostream_sink_mt>(lines)));
  return true;
}();

TEST(DoctorReport, require_sound_warns_of_what_is_unknown) {
  lines.str("");
  EXPECT_NO_THROW(require_sound({passing, untold}));
  EXPECT_TRUE(says(lines.str(), "c of queue is unknown: does not show")) << lines.str();
}

TEST(DoctorReport, times_and_sizes_in_words) {
  EXPECT_EQ(doctor::in_words(0ms), "0 ms");
  EXPECT_EQ(doctor::in_words(500ms), "500 ms");
  EXPECT_EQ(doctor::in_words(90s), "1 min 30 s");
  EXPECT_EQ(doctor::in_words(std::chrono::days(7)), "7 d");
  EXPECT_EQ(doctor::in_words(std::chrono::days(7) + 3h + 2min), "7 d 3 h");
  EXPECT_EQ(doctor::in_words(std::chrono::days(7) + 2min), "7 d");
  EXPECT_EQ(doctor::in_words(-90s), "-1 min 30 s");
  EXPECT_EQ(doctor::bytes_in_words(1), "1 bytes");
  EXPECT_EQ(doctor::bytes_in_words(64 << 20), "64 MiB");
  EXPECT_EQ(doctor::bytes_in_words(1536), "1.5 KiB");
}

}  // namespace
}  // namespace idem::test
