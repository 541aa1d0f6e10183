// Against the reference vectors that the authors of SipHash publish: key 00 01 … 0f, message 00 01 … of each
// length.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/siphash.h"

namespace idem::core {
namespace {

HashKey reference_key() {
  HashKey key{};
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(i);
  return key;
}

std::string reference_message(std::size_t length) {
  std::string message;
  for (std::size_t i = 0; i < length; ++i) message.push_back(static_cast<char>(i));
  return message;
}

TEST(SipHash, Gives64BitsLikeTheReference) {
  const std::vector<std::pair<std::size_t, std::uint64_t>> vectors = {
      {0, 0x726fdb47dd0e0e31}, {1, 0x74f839c593dc67fd}, {2, 0x0d6c8009d9a94f5a}, {3, 0x85676696d7fb7e2d},
      {4, 0xcf2794e0277187b7}, {5, 0x18765564cd99a68d}, {6, 0xcbc9466e58fee3ce}, {7, 0xab0200f58b01d137},
      {8, 0x93f5f5799a932462}, {15, 0xa129ca6149be45e5}};
  for (const auto& [length, hash] : vectors)
    EXPECT_EQ(siphash64(reference_key(), reference_message(length)), hash) << length;
}

TEST(SipHash, Gives128BitsLikeTheReference) {
  const std::vector<std::pair<std::size_t, IdKey>> vectors = {{0, {0xe6a825ba047f81a3, 0x930255c71472f66d}},
                                                              {1, {0x44af996bd8c187da, 0x45fc229b11597634}},
                                                              {2, {0xc75da4a48d227781, 0xe4ff0af6de8ba3fc}},
                                                              {3, {0x4ea967520cb6709c, 0x51ed8529b0b6335f}}};
  for (const auto& [length, hash] : vectors)
    EXPECT_EQ(siphash128(reference_key(), reference_message(length)), hash) << length;
}

TEST(SipHash, EveryByteAndTheKeyCount) {
  const std::string long_id(100, 'a');
  for (std::size_t i = 0; i < long_id.size(); ++i) {
    std::string other = long_id;
    other[i] = 'b';
    EXPECT_NE(siphash128(reference_key(), other), siphash128(reference_key(), long_id)) << i;
  }
  HashKey other_key = reference_key();
  other_key[15] ^= 1;
  EXPECT_NE(siphash128(other_key, long_id), siphash128(reference_key(), long_id));
  EXPECT_NE(siphash128(reference_key(), std::string(8, '\0')),
            siphash128(reference_key(), std::string(9, '\0')))
      << "the length counts";
}

}  // namespace
}  // namespace idem::core
