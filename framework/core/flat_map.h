// A hash map for keys that are hashes already: open addressing, no allocation once grown, no tombstones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace idem::core {

/// Spreads a number over 64 bits.
inline std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/// `Hash` spreads a key over 64 bits. Pointers to values are valid until the next insert or erase.
template <class Key, class Value, class Hash>
class FlatMap {
 public:
  std::size_t size() const { return size_; }

  Value* find(const Key& key) { return const_cast<Value*>(std::as_const(*this).find(key)); }
  const Value* find(const Key& key) const {
    if (size_ == 0) return nullptr;
    for (std::size_t i = home(key); slots_[i].used; i = next(i))
      if (slots_[i].key == key) return &slots_[i].value;
    return nullptr;
  }

  /// The key is about to be looked for: fetches the memory where it would be.
  void prefetch(const Key& key) const {
    if (size_ > 0) __builtin_prefetch(&slots_[home(key)]);
  }

  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const Slot& slot : slots_)
      if (slot.used) visit(slot.key, slot.value);
  }

  /// Up to so many, insert() then allocates nothing and throws nothing.
  void reserve(std::size_t size) {
    while (2 * size > slots_.size()) grow();
  }

  /// The value of `key`, made from `value` if it was not there.
  std::pair<Value*, bool> insert(const Key& key, Value value) {
    if (2 * (size_ + 1) > slots_.size()) grow();
    std::size_t i = home(key);
    for (; slots_[i].used; i = next(i))
      if (slots_[i].key == key) return {&slots_[i].value, false};
    slots_[i] = {true, key, std::move(value)};
    ++size_;
    return {&slots_[i].value, true};
  }

  bool erase(const Key& key) {
    if (size_ == 0) return false;
    std::size_t i = home(key);
    while (slots_[i].used && !(slots_[i].key == key)) i = next(i);
    if (!slots_[i].used) return false;
    // Move back whoever would no longer be found across the hole.
    for (std::size_t j = next(i); slots_[j].used; j = next(j)) {
      const std::size_t ideal = home(slots_[j].key);
      if (((j - ideal) & mask()) >= ((j - i) & mask())) {
        slots_[i] = std::move(slots_[j]);
        i = j;
      }
    }
    slots_[i] = {};
    --size_;
    return true;
  }

 private:
  struct Slot {
    bool used = false;
    Key key{};
    Value value{};
  };

  std::size_t mask() const { return slots_.size() - 1; }
  std::size_t home(const Key& key) const { return Hash{}(key) & mask(); }
  std::size_t next(std::size_t i) const { return (i + 1) & mask(); }

  void grow() {
    std::vector<Slot> old(slots_.empty() ? 16 : slots_.size() * 2);
    old.swap(slots_);
    size_ = 0;
    for (Slot& slot : old)
      if (slot.used) insert(slot.key, std::move(slot.value));
  }

  std::vector<Slot> slots_;  // a power of two
  std::size_t size_ = 0;
};

}  // namespace idem::core
