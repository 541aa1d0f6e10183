#include "kills/failpoints.h"

namespace idem::kills {
namespace {

using Reached = Failpoint::Reached;

// In the order of a message's path.
constexpr Failpoint all[] = {
    {"store.migrate", Reached::first_start},
    {"source.polled"},
    {"io.received"},
    {"io.returned", Reached::elsewhere},
    {"io.dispatched"},
    {"worker.dequeued"},
    {"worker.looked_up"},
    {"worker.claimed"},
    {"worker.handler_enter"},
    {"store.begin", Reached::running, true},
    {"store.savepoint", Reached::running, true},
    {"store.first_write"},
    {"worker.handler_return"},
    {"store.record"},
    {"store.park"},
    {"store.delay", Reached::elsewhere},
    {"store.released"},
    {"store.span_undone"},
    {"store.tail"},
    {"store.seal", Reached::slowly},
    {"store.sealed", Reached::slowly},
    {"store.erase", Reached::slowly},
    {"store.before_commit"},
    {"store.commit_refused", Reached::running, true},
    {"store.commit_lost", Reached::running, true},
    {"store.after_commit"},
    {"store.settled"},
    {"io.completed"},
    {"io.before_commit"},
    {"source.before_commit", Reached::running, true},
    {"source.after_commit_sent"},
    {"io.after_commit"},
    {"source.committed"},
    {"store.rotate", Reached::slowly},
    {"store.drop", Reached::slowly},
    {"outbox.inserted"},
    {"outbox.read", Reached::sending, true},
    {"relay.send", Reached::sending},
    {"relay.confirmed", Reached::sending},
    {"relay.removed", Reached::sending},
    {"io.drained", Reached::leaving},
    {"source.stop", Reached::leaving},
    {"source.revoke_begin", Reached::leaving},
    {"io.revoke_begin", Reached::leaving},
    {"io.revoke_committed", Reached::leaving},
    {"source.revoke_end", Reached::leaving},
    {"parked.drop", Reached::by_hand},
    {"parked.returning", Reached::by_hand},
    {"parked.redrive", Reached::by_hand},
    {"ids.forget", Reached::by_hand},
    {"store.result", Reached::elsewhere},
};

}  // namespace

std::span<const Failpoint> failpoints() { return all; }

}  // namespace idem::kills
