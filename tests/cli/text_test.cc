// Bytes that somebody else chose, and times that people write.
#include <gtest/gtest.h>

#include <random>
#include <stdexcept>
#include <string>

#include "cli/base64.h"
#include "cli/printable.h"
#include "cli/times.h"
#include "cli/utf8.h"

namespace idem::cli {
namespace {

std::string any_bytes(std::mt19937& random) {
  std::string bytes(random() % 40, '\0');
  const bool text = random() % 2 == 0;
  for (char& c : bytes) c = static_cast<char>(text ? random() % 128 : random() % 256);
  return bytes;
}

TEST(Printable, is_one_line_of_text_that_no_terminal_obeys) {
  std::mt19937 random(7);
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = printable(any_bytes(random));
    EXPECT_TRUE(is_utf8(text));
    for (std::string_view rest = text; !rest.empty(); rest.remove_prefix(first_code_point(rest).bytes)) {
      const char32_t c = first_code_point(rest).value;
      EXPECT_FALSE(c < 0x20 || (c >= 0x7f && c < 0xa0)) << static_cast<unsigned>(c);
    }
  }
}

TEST(Printable, shows_text_as_it_is_and_the_rest_by_its_bytes) {
  EXPECT_EQ(printable("Zürich 東京 p-17"), "Zürich 東京 p-17");
  EXPECT_EQ(printable("\x1b[2J"), "\\x1b[2J");
  EXPECT_EQ(printable(std::string("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(printable("one\r\ntwo\t"), "one\\r\\ntwo\\t");
  EXPECT_EQ(printable("\\x1b"), "\\\\x1b") << "it was written so, and is no escape";
  EXPECT_EQ(printable("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(printable("\xc0\xaf\xed\xa0\x80"), "\\xc0\\xaf\\xed\\xa0\\x80") << "too long a form, and half a pair";
  EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b") << "CSI in one byte";
  EXPECT_EQ(printable("\xe2\x80\xae" "fdp"), "\\xe2\\x80\\xae" "fdp") << "right to left from here";
}

TEST(Printable, is_cut_where_it_is_too_long) {
  EXPECT_EQ(printable("12345", 5), "12345");
  EXPECT_EQ(printable("123456", 5), "1234…");
  EXPECT_EQ(printable("123\n\n", 6), "123\\n…") << "no escape in halves";
  EXPECT_EQ(width(printable(std::string(1 << 20, '\x1b'), 40)), 37u);
  EXPECT_EQ(printable("ÄÖÜäöü", 5), "ÄÖÜä…");
}

TEST(Base64, comes_back_as_it_was) {
  EXPECT_EQ(to_base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(to_base64("fooba"), "Zm9vYmE=");
  EXPECT_EQ(to_base64("foob"), "Zm9vYg==");
  EXPECT_EQ(to_base64(""), "");
  std::mt19937 random(8);
  for (int i = 0; i < 2'000; ++i) {
    const std::string bytes = any_bytes(random);
    EXPECT_EQ(from_base64(to_base64(bytes)), bytes);
  }
  for (const char* none : {"Zm9", "Zm9vY===", "Zm9v\n", "Zm9v!A==", "====", "Z"})
    EXPECT_THROW(from_base64(none), std::invalid_argument) << none;
}

TEST(Times, are_ages_or_points_in_utc) {
  const Timestamp now{std::chrono::milliseconds(1'796'000'000'123)};
  EXPECT_EQ(in_utc(now), "2026-11-30T00:53:20.123Z");
  EXPECT_EQ(parse_time(in_utc(now), {}), now);
  EXPECT_EQ(in_utc(parse_time("2026-11-28", now)), "2026-11-28T00:00:00.000Z");
  EXPECT_EQ(in_utc(parse_time("2024-02-29T23:59:59Z", now)), "2024-02-29T23:59:59.000Z");
  EXPECT_EQ(parse_time("3d", now), now - std::chrono::days(3));
  EXPECT_EQ(parse_time("12h", now), now - std::chrono::hours(12));
  EXPECT_EQ(parse_time("90m", now), now - std::chrono::minutes(90));
  EXPECT_EQ(parse_time("45s", now), now - std::chrono::seconds(45));
  for (const char* bad : {"", "3", "3 days", "d", "-3d", "2026-02-30", "2026-13-01", "2026-11-28T25:00:00Z",
                          "2026-11-28T10:00:00", "2026-11-28T10:00:00.1Z", "2026-11-28T10:00:00.-12Z", "2026-11-28 ",
                          "yesterday", "99999999999999999999d"})
    EXPECT_THROW(parse_time(bad, now), std::invalid_argument) << bad;
  EXPECT_EQ(in_utc(Timestamp::max()), "9223372036854775807 ms");
  EXPECT_EQ(in_utc(Timestamp::min()), "-9223372036854775808 ms");
}

}  // namespace
}  // namespace idem::cli
