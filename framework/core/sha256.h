// SHA-256 (FIPS 180-4): for what must stay the same for ever and must not be made to collide on purpose.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace idem::core {

std::array<std::uint8_t, 32> sha256(std::string_view bytes);

}  // namespace idem::core
