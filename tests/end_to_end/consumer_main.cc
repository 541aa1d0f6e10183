// A consumer as a process of its own, for tests that stop, kill or double one:
//
//   idem_test_consumer --file ledger.db --topic T --group G --bootstrap ADDRESS
//                      [--property name=value]… [--drain-ms N] [--wait-for-owner-ms N]
//
// Runs until a signal. Each message has one row in the table `effects`. What else a message does, its header
// "do" says:
//
//   pass PATH   makes the file PATH.waiting and goes on when there is a file PATH
//   exit N      ends the process by exit(N), unless there is a file named by the payload; makes it first
//
// The exit code is the runtime's; 2 when the arguments make no sense. Errors are printed.
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>

#include <idem/kafka.h>

#include "kit.h"

namespace {

using idem::test::eventually;

void touch(const std::filesystem::path& path) { std::ofstream out(path); }

std::optional<idem::Outcome> obey(const idem::Message& message, idem::Transaction&) {
  const std::string order(message.header("do").value_or(""));
  const std::string word = order.substr(0, order.find(' '));
  const std::string rest = order.size() > word.size() ? order.substr(word.size() + 1) : "";
  if (word == "pass") {
    touch(rest + ".waiting");
    while (!std::filesystem::exists(rest)) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  } else if (word == "exit" && !std::filesystem::exists(message.text())) {
    touch(message.text());
    std::exit(std::stoi(rest));
  }
  return std::nullopt;
}

int run(int argc, char** argv) {
  idem::SqliteOptions file;
  idem::RuntimeOptions options = idem::test::quick();
  idem::KafkaOptions reads;
  reads.watch_interval = std::chrono::milliseconds(200);
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i], value = argv[i + 1];
    if (name == "--file")
      file.path = value;
    else if (name == "--topic")
      reads.topics.push_back(value);
    else if (name == "--group")
      reads.properties["group.id"] = value;
    else if (name == "--bootstrap")
      reads.properties["bootstrap.servers"] = value;
    else if (name == "--property")
      reads.properties[value.substr(0, value.find('='))] = value.substr(value.find('=') + 1);
    else if (name == "--drain-ms")
      options.drain_timeout = std::chrono::milliseconds(std::stoi(value));
    else if (name == "--wait-for-owner-ms")
      file.wait_for_owner = std::chrono::milliseconds(std::stoi(value));
    else
      throw std::invalid_argument("unknown argument " + name);
  }
  auto store = idem::test::open_store(file);
  idem::KafkaSource source(reads);
  idem::test::Recorder handler(obey);
  idem::Runtime runtime(options);
  runtime.add(source, *store, handler);
  const idem::Exit exit = runtime.run_until_signal();
  if (!exit.ok()) std::cerr << to_string(exit.reason) << ": " << exit.detail << '\n';
  return exit;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "idem_test_consumer: " << error.what() << '\n';
    return 2;
  }
}
