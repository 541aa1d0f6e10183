#include "cli/person.h"

#include <pwd.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>

namespace idem::cli {

std::string login_name() {
  const char* behind_sudo = ::getuid() == 0 ? std::getenv("SUDO_USER") : nullptr;
  if (behind_sudo != nullptr && *behind_sudo != '\0') return behind_sudo;
  const passwd* entry = ::getpwuid(::getuid());
  return entry != nullptr ? entry->pw_name : "uid " + std::to_string(::getuid());
}

ByHand by_hand(const std::string& who, const std::string& why) { return {.who = who.empty() ? login_name() : who, .why = why}; }

bool is_at_terminal() { return ::isatty(STDIN_FILENO) == 1; }

bool agrees(const std::string& question) {
  std::fputs((question + " [y/N] ").c_str(), stderr);
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

}  // namespace idem::cli
