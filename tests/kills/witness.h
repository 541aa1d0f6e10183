// Gathers what is there after a kill, from those who cannot share idem's own opinion where it matters: the effects by
// plain SQL, the committed offsets by an independent client. Records, progress and the parking lot are asked of the
// store as a restarted consumer would ask.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "kills/broker.h"
#include "kills/checker.h"

namespace idem::kills {

struct Place {
  std::filesystem::path store;
  std::string topic, group;
};

/// Nothing may be writing to the store. `idem`: the store is idem's, else it holds effects only.
Evidence gather(const Place& place, Broker& broker, const std::vector<Sent>& sent, bool idem,
                std::chrono::milliseconds retention);

/// The effects in the order in which they were written, as another process reads them.
std::vector<Effect> effects_in(const std::filesystem::path& store);

/// SQLite's own word on the file: "ok", or what is wrong.
std::string integrity(const std::filesystem::path& store);

}  // namespace idem::kills
