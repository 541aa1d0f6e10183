// A stranger's project: everything comes from the installed package.
#include <idem/idem.h>

int main() {
  idem::SqliteStore store({.path = "service.db"});
  idem::RabbitSource orders({.uri = "amqp://127.0.0.1:1", .queue = "orders"});
  idem::KafkaSource source({.topics = {"t"}, .properties = {{"bootstrap.servers", "127.0.0.1:1"}, {"group.id", "g"}}});
  store.transact([](idem::Transaction& tx) { tx.exec("CREATE TABLE effect(id TEXT)"); });
  auto add = [&](std::string_view id) {
    return idem::once(store, "service", id, [&](idem::Transaction& tx) { tx.exec("INSERT INTO effect VALUES($1)", id); });
  };
  const bool asked = idem::exit_code(idem::examine_rabbitmq({.uri = "amqp://127.0.0.1:1"})) == 1 &&
                     idem::exit_code(idem::examine_store("no-such.db")) == 1;
  const bool once = add("a") == idem::Once::applied && add("a") == idem::Once::duplicate;
  return asked && once && source.traits().stable_positions && !orders.traits().stable_positions ? 0 : 1;
}
