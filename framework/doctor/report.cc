#include <idem/doctor.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "doctor/words.h"
#include "runtime/log.h"

namespace idem {

using runtime::printable;

namespace {

constexpr std::size_t widest_subject = 40;

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

std::size_t width_of(const Report& report, std::string Check::*member) {
  std::size_t width = 0;
  for (const Check& check : report) width = std::max(width, (check.*member).size());
  return width;
}

std::int64_t number_of(const Report& report, Verdict verdict) {
  return std::count_if(report.begin(), report.end(), [&](const Check& c) { return c.verdict == verdict; });
}

}  // namespace

const char* to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass:
      return "pass";
    case Verdict::fail:
      return "fail";
    case Verdict::unknown:
      return "unknown";
  }
  return "";
}

Verdict worst(const Report& report) {
  if (number_of(report, Verdict::fail) > 0) return Verdict::fail;
  return report.empty() || number_of(report, Verdict::unknown) > 0 ? Verdict::unknown : Verdict::pass;
}

int exit_code(const Report& report) {
  switch (worst(report)) {
    case Verdict::pass:
      return 0;
    case Verdict::fail:
      return 1;
    case Verdict::unknown:
      break;
  }
  return 2;
}

std::string to_text(const Report& report) {
  const std::size_t names = width_of(report, &Check::name);
  const std::size_t subjects = std::min(width_of(report, &Check::subject), widest_subject);
  std::string text;
  for (const Check& check : report) {
    const std::string verdict = check.verdict == Verdict::fail ? "FAIL" : to_string(check.verdict);
    text += padded(verdict, 9) + padded(check.name, names + 2) + padded(printable(check.subject), subjects + 2) +
            printable(check.reason) + "\n";
    if (!check.remedy.empty()) text += padded("", 9) + "-> " + printable(check.remedy) + "\n";
  }
  return text + doctor::counted(static_cast<std::int64_t>(report.size()), "check") + ": " +
         std::to_string(number_of(report, Verdict::pass)) + " pass, " +
         std::to_string(number_of(report, Verdict::fail)) + " fail, " +
         std::to_string(number_of(report, Verdict::unknown)) + " unknown\n";
}

std::string to_json(const Report& report) {
  using Json = nlohmann::ordered_json;
  Json checks = Json::array();
  for (const Check& check : report)
    checks.push_back({{"name", check.name},
                      {"subject", check.subject},
                      {"verdict", to_string(check.verdict)},
                      {"reason", check.reason},
                      {"remedy", check.remedy}});
  const Json all = {{"verdict", to_string(worst(report))}, {"exit_code", exit_code(report)}, {"checks", checks}};
  // A queue's name need not be UTF-8, and JSON must be.
  return all.dump(2, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace) + "\n";
}

void require_sound(const Report& report) {
  std::string failed;
  for (const Check& check : report) {
    if (check.verdict == Verdict::unknown)
      runtime::log().warn("doctor: {} of {} is unknown: {}", check.name, printable(check.subject),
                          printable(check.reason));
    if (check.verdict == Verdict::fail)
      failed += "\n  " + check.name + " of " + printable(check.subject) + ": " + printable(check.reason) +
                (check.remedy.empty() ? "" : "; " + printable(check.remedy));
  }
  if (!failed.empty())
    throw NotSound("not set up to lose nothing, " + std::to_string(number_of(report, Verdict::fail)) + " of " +
                   doctor::counted(static_cast<std::int64_t>(report.size()), "check") + " failed:" + failed);
}

}  // namespace idem
