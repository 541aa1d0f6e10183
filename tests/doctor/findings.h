// A check of a report, by its name.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include <idem/doctor.h>

namespace idem::test {

/// The one check of that name (and subject, if given); a failure of the test if there is none or are several.
inline Check finding(const Report& report, const std::string& name, const std::string& subject = "") {
  Check found;
  int count = 0;
  for (const Check& check : report) {
    if (check.name != name || (!subject.empty() && check.subject != subject)) continue;
    found = check;
    ++count;
  }
  EXPECT_EQ(count, 1) << name << " " << subject << " in\n" << to_text(report);
  return found;
}

inline Verdict verdict(const Report& report, const std::string& name, const std::string& subject = "") {
  return finding(report, name, subject).verdict;
}

/// Every check says why, and those that do not pass say what to do.
inline void expect_words(const Report& report) {
  for (const Check& check : report) {
    EXPECT_FALSE(check.subject.empty()) << check.name;
    EXPECT_FALSE(check.reason.empty()) << check.name;
    EXPECT_TRUE(check.verdict == Verdict::pass || !check.remedy.empty()) << check.name;
  }
}

inline bool says(const std::string& text, const std::string& words) { return text.find(words) != std::string::npos; }

inline void PrintTo(const Check& check, std::ostream* out) {
  *out << to_string(check.verdict) << " " << check.name << " of " << check.subject << ": " << check.reason;
}

}  // namespace idem::test

namespace idem {
inline void PrintTo(Verdict verdict, std::ostream* out) { *out << to_string(verdict); }
}  // namespace idem
