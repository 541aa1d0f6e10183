// A stranger's project: everything comes from the installed package.
#include <idem/idem.h>
#include <idem/kafka_publisher.h>
#include <idem/rabbitmq_publisher.h>

int main() {
  idem::SqliteStore store({.path = "service.db"});
  idem::RabbitSource orders({.uri = "amqp://127.0.0.1:1", .queue = "orders"});
  idem::KafkaSource source({.topics = {"t"}, .properties = {{"bootstrap.servers", "127.0.0.1:1"}, {"group.id", "g"}}});
  idem::RabbitPublisher to_rabbitmq({.uri = "amqp://127.0.0.1:1", .connect_at_start = false});
  idem::KafkaPublisher to_kafka({.properties = {{"bootstrap.servers", "127.0.0.1:1"}}});
  auto order = to_rabbitmq.publish_async({.routing_key = "orders", .id = "o1"});
  auto event = to_kafka.publish_async({.topic = "t", .id = "e1"});
  const bool left = to_rabbitmq.close({}).not_sent.size() == 1 && to_kafka.close({}).not_sent.size() == 1 &&
                    order.get().id == "o1" && event.get().id == "e1";
  store.transact([](idem::Transaction& tx) { tx.exec("CREATE TABLE effect(id TEXT)"); });
  auto add = [&](std::string_view id) {
    return idem::once(store, "service", id, [&](idem::Transaction& tx) { tx.exec("INSERT INTO effect VALUES($1)", id); });
  };
  const bool asked = idem::exit_code(idem::examine_rabbitmq({.uri = "amqp://127.0.0.1:1"})) == 1 &&
                     idem::exit_code(idem::examine_store("no-such.db")) == 1;
  const bool once = add("a").kind == idem::Once::Kind::applied &&
                    add("a").kind == idem::Once::Kind::duplicate;
  return asked && once && left && source.traits().stable_positions && !orders.traits().stable_positions ? 0 : 1;
}
