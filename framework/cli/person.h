// Who is at the terminal.
#pragma once

#include <string>

#include <idem/parking_lot.h>

namespace idem::cli {

/// The name they logged in by, also behind sudo.
std::string login_name();

/// For the audit; `who` empty: the login user.
ByHand by_hand(const std::string& who, const std::string& why);

/// Whether somebody can be asked.
bool is_at_terminal();

/// Asks on the terminal; anything but "y" or "yes" is a no.
bool agrees(const std::string& question);

}  // namespace idem::cli
