// Reads a MemoryLog. Everything but wake() and the orders of a test happens on the I/O thread.
#include <algorithm>
#include <deque>

#include "runtime/failpoint.h"
#include "sources/memory/memory_log.h"

namespace idem {

using std::chrono::steady_clock;

struct MemorySource::Impl {
  struct Order {
    enum Kind { revoke, lose, assign } kind;
    std::int32_t partition;
  };
  struct Reader {
    std::int32_t number = 0;
    bool held = false;
    bool read = false;
    bool paused = false;
    PartitionHandle handle;
    MemoryPartition::Cursor cursor;
    std::int64_t next = 0;
    std::int64_t announced_end = -1;
  };

  explicit Impl(std::shared_ptr<MemoryLog::Impl> the_log) : log(std::move(the_log)) {
    readers.resize(log->partitions.size());
    for (std::size_t i = 0; i < readers.size(); ++i) readers[i].number = static_cast<std::int32_t>(i);
  }

  MemoryPartition& partition(const Reader& reader) {
    return log->partitions[static_cast<std::size_t>(reader.number)];
  }
  Reader* find(PartitionHandle handle);
  AssignedPartition describe(const Reader& reader);
  void assign(std::span<Reader* const> wanted);
  void give_up(std::span<Reader* const> unwanted, bool lost);
  void obey_orders();
  void report_commits();
  void report_group();
  bool deliver();
  bool deliver(Reader& reader, std::size_t share);
  bool anything_to_do();
  void sleep(std::chrono::milliseconds wait);
  void order(Order::Kind kind, std::int32_t number);
  CommitResult apply(const Commit& commit);

  const std::shared_ptr<MemoryLog::Impl> log;
  SourceEvents* events = nullptr;
  std::vector<Reader> readers;
  std::size_t turn = 0;  // the reader that is asked first
  std::size_t room = 0;  // messages that this poll() may still deliver
  std::vector<CommitResult> unreported;
  std::uint64_t seen_commits = 0;
  steady_clock::time_point next_look{};

  std::mutex ordering;
  std::deque<Order> orders;
  std::atomic<bool> ordered{false};
  std::atomic<int> failing{0};
  std::atomic<bool> awake{false};
};

MemorySource::MemorySource(MemoryLog& log) : impl_(std::make_unique<Impl>(log.impl_)) {}
MemorySource::~MemorySource() = default;

void MemorySource::revoke(std::int32_t partition) {
  impl_->order(Impl::Order::revoke, partition);
}
void MemorySource::lose(std::int32_t partition) {
  impl_->order(Impl::Order::lose, partition);
}
void MemorySource::assign(std::int32_t partition) {
  impl_->order(Impl::Order::assign, partition);
}
void MemorySource::fail_next_commits(int count) {
  impl_->failing.store(count);
}

SourceTraits MemorySource::traits() const {
  return {"memory " + impl_->log->topic, /*stable_positions=*/true};
}

void MemorySource::start(SourceEvents& events, const SourceContext&) {
  impl_->events = &events;
  std::vector<Impl::Reader*> all;
  for (auto& reader : impl_->readers) all.push_back(&reader);
  impl_->report_group();
  impl_->assign(all);
}

void MemorySource::stop() {
  std::vector<Impl::Reader*> held;
  for (auto& reader : impl_->readers)
    if (reader.held) held.push_back(&reader);
  impl_->give_up(held, /*lost=*/false);
  impl_->report_commits();
}

void MemorySource::poll(std::chrono::milliseconds wait, std::size_t limit) {
  if (!impl_->anything_to_do()) impl_->sleep(wait);
  impl_->awake.store(false);
  impl_->obey_orders();
  impl_->report_commits();
  impl_->report_group();
  // One entry of each partition in turn would jump about in memory: a share of the limit each does as well.
  impl_->room = limit;
  while (impl_->room > 0 && impl_->deliver()) {
  }
}

void MemorySource::wake() {
  impl_->awake.store(true);
  impl_->log->changed();
}

void MemorySource::set_paused(PartitionHandle partition, bool paused) {
  if (Impl::Reader* reader = impl_->find(partition)) reader->paused = paused;
}

void MemorySource::seek(PartitionHandle before, const StartAt& start) {
  Impl::Reader* reader = impl_->find(before);
  if (!reader) return;
  *reader = {reader->number, true, start.read, false, start.handle, impl_->partition(*reader).seek(start.offset),
             start.offset,   -1};
}

void MemorySource::commit(std::span<const Commit> commits, bool wait) {
  int failing = impl_->failing.load();
  bool fail = failing > 0;
  if (fail) impl_->failing.store(failing - 1);
  for (const Commit& commit : commits) {
    if (fail || IDEM_FAILPOINT("source.before_commit"))
      impl_->unreported.push_back({commit.handle, commit.next, false, true, "this commit was told to fail"});
    else
      impl_->unreported.push_back(impl_->apply(commit));
  }
  if (wait) impl_->report_commits();
}

std::optional<std::int64_t> MemorySource::lag(PartitionHandle partition, std::int64_t next) const {
  Impl::Reader* reader = impl_->find(partition);
  if (!reader) return std::nullopt;
  return std::max<std::int64_t>(0, impl_->partition(*reader).end.load() - next);
}

MemorySource::Impl::Reader* MemorySource::Impl::find(PartitionHandle handle) {
  for (Reader& reader : readers)
    if (reader.held && reader.handle == handle) return &reader;
  return nullptr;
}

CommitResult MemorySource::Impl::apply(const Commit& commit) {
  Reader* reader = find(commit.handle);
  if (!reader) return {commit.handle, commit.next, false, true, "the partition is no longer assigned"};
  {
    std::lock_guard lock(log->committing);
    log->committed[static_cast<std::size_t>(reader->number)] = {commit.next, commit.metadata};
  }
  log->commits.fetch_add(1);
  return {commit.handle, commit.next, true, true, ""};
}

AssignedPartition MemorySource::Impl::describe(const Reader& reader) {
  AssignedPartition found;
  found.partition = {log->topic, reader.number};
  found.log_end = partition(reader).end.load();
  std::lock_guard lock(log->committing);
  if (const auto& committed = log->committed[static_cast<std::size_t>(reader.number)]) {
    found.committed = committed->next;
    found.metadata = committed->metadata;
  }
  return found;
}

void MemorySource::Impl::assign(std::span<Reader* const> wanted) {
  if (wanted.empty()) return;
  std::vector<AssignedPartition> found;
  for (Reader* reader : wanted) found.push_back(describe(*reader));
  std::vector<StartAt> starts = events->on_assigned(found);
  if (starts.size() != wanted.size()) throw std::logic_error("on_assigned must answer for each partition");
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    Reader& reader = *wanted[i];
    const StartAt& start = starts[i];
    reader = {reader.number, true, start.read, start.paused, start.handle, partition(reader).seek(start.offset),
              start.offset,  -1};
  }
}

void MemorySource::Impl::give_up(std::span<Reader* const> unwanted, bool lost) {
  if (unwanted.empty()) return;
  std::vector<PartitionHandle> handles;
  for (Reader* reader : unwanted) {
    handles.push_back(reader->handle);
    reader->read = false;
    if (lost) reader->held = false;
  }
  if (lost) {
    events->on_lost(handles);
  } else {
    events->on_revoked(handles);  // commits from inside
    for (Reader* reader : unwanted) reader->held = false;
  }
}

void MemorySource::Impl::order(Order::Kind kind, std::int32_t number) {
  if (number < 0 || static_cast<std::size_t>(number) >= readers.size())
    throw std::out_of_range("MemoryLog has no partition " + std::to_string(number));
  {
    std::lock_guard lock(ordering);
    orders.push_back({kind, number});
    ordered.store(true);
  }
  log->changed();
}

void MemorySource::Impl::obey_orders() {
  while (ordered.load()) {
    Order order;
    {
      std::lock_guard lock(ordering);
      order = orders.front();
      orders.pop_front();
      ordered.store(!orders.empty());
    }
    Reader* reader = &readers[static_cast<std::size_t>(order.partition)];
    if (reader->held == (order.kind == Order::assign)) continue;  // already as ordered
    if (order.kind == Order::assign)
      assign({&reader, 1});
    else
      give_up({&reader, 1}, order.kind == Order::lose);
  }
}

void MemorySource::Impl::report_commits() {
  if (unreported.empty()) return;
  std::vector<CommitResult> results;
  results.swap(unreported);
  (void)IDEM_FAILPOINT("source.committed");
  events->on_committed(results);
}

/// At the start and, when something was committed, every tenth of a second.
void MemorySource::Impl::report_group() {
  std::uint64_t commits = log->commits.load();
  if (commits == seen_commits) return;
  auto now = steady_clock::now();
  if (now < next_look) return;
  next_look = now + std::chrono::milliseconds(100);
  seen_commits = commits;
  for (const Reader& reader : readers) {
    AssignedPartition seen = describe(reader);
    if (seen.committed) events->on_group_commit(seen.partition, *seen.committed, seen.metadata);
  }
}

/// A share of the room from each partition; false if there was nothing.
bool MemorySource::Impl::deliver() {
  bool any = false;
  std::size_t share = std::max<std::size_t>(1, room / readers.size());
  for (std::size_t i = 0; i < readers.size() && room > 0; ++i)
    any |= deliver(readers[(turn + i) % readers.size()], share);
  turn = (turn + 1) % readers.size();
  return any;
}

bool MemorySource::Impl::deliver(Reader& reader, std::size_t share) {
  if (!reader.read || reader.paused) return false;
  MemoryPartition& from = partition(reader);
  Message message;
  message.topic = log->topic;
  message.partition = reader.number;
  bool any = false;
  std::int64_t end = from.end.load();  // before the entries: all below it are there to be found
  while (room > 0 && reader.read && !reader.paused) {
    if (share-- == 0) return any;
    const MemoryPartition::Slot* slot = from.next(reader.cursor);
    if (!slot) break;
    message.offset = slot->offset;
    message.key = slot->entry.key;
    message.payload = slot->entry.payload;
    message.headers = slot->headers;
    message.timestamp = slot->entry.timestamp;
    reader.next = slot->offset + 1;
    --room;
    any = true;
    (void)IDEM_FAILPOINT("source.polled");
    if (!events->on_message(reader.handle, message)) room = 0;
  }
  if (room == 0 || !reader.read || reader.paused) return any;
  reader.next = std::max(reader.next, end);
  if (reader.next != reader.announced_end) {
    reader.announced_end = reader.next;
    events->on_end(reader.handle, reader.next);
  }
  return any;
}

bool MemorySource::Impl::anything_to_do() {
  if (awake.load() || ordered.load() || !unreported.empty()) return true;
  return std::any_of(readers.begin(), readers.end(), [&](const Reader& reader) {
    return reader.read && !reader.paused && partition(reader).end.load() > reader.announced_end;
  });
}

void MemorySource::Impl::sleep(std::chrono::milliseconds wait) {
  std::unique_lock lock(log->sleeping);
  log->sleepers.fetch_add(1);  // before the last look: a writer that this look misses sees the sleeper
  log->news.wait_for(lock, wait, [&] { return anything_to_do(); });
  log->sleepers.fetch_sub(1);
}

}  // namespace idem
