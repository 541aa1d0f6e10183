// The dedup transaction alone, for code that keeps its own loop: a webhook, a cron job, any other broker.
#pragma once

#include <functional>
#include <string_view>

#include <idem/store.h>

namespace idem {

enum class [[nodiscard]] Once {
  applied,    ///< fn ran and its effect is durable now
  duplicate,  ///< an earlier call (or message) with this id was durable already; fn was not called
  conflict,   ///< the id was used for other content; fn was not called
};

/// Runs `fn` at most once per (consumer, id) and returns when the answer is durable. An exception from `fn` leaves
/// nothing behind and passes through. Any thread; concurrent calls with one id: one runs, the others are duplicates.
/// `content` is what must be equal in every repeat (fingerprint); empty: not compared.
/// Throws StoreError when the store cannot answer.
Once once(TransactionalStore& store, std::string_view consumer, std::string_view id,
          const std::function<void(Transaction&)>& fn, std::string_view content = {});

}  // namespace idem
