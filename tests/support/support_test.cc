// The test support tested: what stands on it is only as good as it is.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <thread>

#include "process.h"
#include "require.h"
#include "scratch.h"

namespace idem::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// There and not a zombie, which a dead orphan stays where the first process of a container does not reap.
bool alive(pid_t process) {
  try {
    const std::string status = contents("/proc/" + std::to_string(process) + "/stat");
    return !status.empty() && status.find(") Z") == std::string::npos;
  } catch (const std::ios_base::failure&) {
    return false;  // it went between the opening of the file and the reading
  }
}

bool eventually_gone(pid_t process) {
  for (int i = 0; i < 500; ++i) {
    if (!alive(process)) return true;
    std::this_thread::sleep_for(milliseconds(10));
  }
  return false;
}

TEST(Scratch, IsEmptyAndOwn) {
  Scratch a("label"), b("label");
  EXPECT_TRUE(std::filesystem::is_empty(a.path()));
  EXPECT_NE(a.path(), b.path());
  EXPECT_NE(a.path().string().find("label"), std::string::npos);
}

TEST(Scratch, GoesAwayWithItsContents) {
  std::filesystem::path path;
  {
    Scratch scratch;
    path = scratch.path();
    std::filesystem::create_directories(path / "deep" / "er");
    std::ofstream(path / "deep" / "file") << "x";
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(Scratch, MovesItsOwnership) {
  Scratch a;
  auto first = a.path();
  Scratch b(std::move(a));
  EXPECT_EQ(b.path(), first);
  b = Scratch();
  EXPECT_FALSE(std::filesystem::exists(first));
  EXPECT_TRUE(std::filesystem::exists(b.path()));
}

TEST(Scratch, SurvivesTheExitOfAFork) {
  Scratch scratch;
  if (pid_t child = fork(); child == 0) {
    { Scratch taken(std::move(scratch)); }
    _exit(0);
  } else {
    waitpid(child, nullptr, 0);
  }
  EXPECT_TRUE(std::filesystem::exists(scratch.path()));
}

TEST(Tail, GivesTheLastLines) {
  Scratch scratch;
  auto file = scratch / "log";
  std::ofstream(file) << "one\ntwo\nthree\n";
  EXPECT_EQ(tail(file, 2), "two\nthree\n");
  EXPECT_EQ(tail(file, 9), "one\ntwo\nthree\n");
  EXPECT_EQ(tail(scratch / "missing", 2), "");
}

TEST(Process, ReportsExitCodeAndOutput) {
  Finished finished = run({"sh", "-c", "echo out; echo err >&2; exit 3"});
  EXPECT_EQ(finished.status.code, 3);
  EXPECT_EQ(finished.output, "out\nerr\n");
}

TEST(Process, PassesEnvironmentAndDirectory) {
  Scratch scratch;
  Finished finished = run({"sh", "-c", "echo $IDEM_TEST_WORD; pwd"},
                          {.environment = {{"IDEM_TEST_WORD", "hello"}}, .directory = scratch.path()});
  EXPECT_EQ(finished.output, "hello\n" + std::filesystem::canonical(scratch.path()).string() + "\n");
}

TEST(Process, ThrowsWhenThereIsNoSuchProgram) {
  EXPECT_THROW(Process({"/no/such/program"}), std::system_error);
}

TEST(Process, IsKilledAtTheDeadline) {
  Finished finished = run({"sleep", "100"}, {}, milliseconds(50));
  EXPECT_EQ(finished.status.signal, SIGKILL);
}

TEST(Process, StopsAndContinues) {
  Process process({"sh", "-c", "sleep 0.2; exit 7"});
  process.pause();
  EXPECT_FALSE(process.wait_for(milliseconds(600)));
  process.resume();
  EXPECT_EQ(process.wait_for(seconds(10)).value_or(ExitStatus{}).code, 7);
  EXPECT_FALSE(process.running());
}

TEST(Process, EndsWithItsOwnerAndWithWhatItStarted) {
  Scratch scratch;
  pid_t child, grandchild = 0;
  {
    Process process({"sh", "-c", "sleep 100 & echo $!; wait"}, {.output = scratch / "out"});
    child = process.pid();
    for (int i = 0; i < 500 && grandchild == 0; ++i) {
      grandchild = std::atoi(contents(scratch / "out").c_str());
      std::this_thread::sleep_for(milliseconds(10));
    }
    ASSERT_GT(grandchild, 0);
    ASSERT_TRUE(alive(grandchild));
  }
  EXPECT_FALSE(alive(child));
  EXPECT_TRUE(eventually_gone(grandchild));
}

TEST(Process, DiesWhenItsParentIsKilled) {
  Scratch scratch;
  pid_t middle = fork();
  if (middle == 0) {
    Process process({"sleep", "100"});
    std::ofstream(scratch / "pid") << process.pid() << std::endl;
    ::kill(getpid(), SIGKILL);
  }
  int status = 0;
  waitpid(middle, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  pid_t orphan = std::atoi(contents(scratch / "pid").c_str());
  ASSERT_GT(orphan, 0);
  EXPECT_TRUE(eventually_gone(orphan));
}

TEST(Required, ReadsTheList) {
  const char* before = std::getenv("IDEM_REQUIRE");
  std::string restore = before ? before : "";
  setenv("IDEM_REQUIRE", "kafka,rabbitmq", 1);
  EXPECT_TRUE(required("kafka"));
  EXPECT_TRUE(required("rabbitmq"));
  EXPECT_FALSE(required("rabbit"));
  EXPECT_FALSE(required("postgres"));
  setenv("IDEM_REQUIRE", "all", 1);
  EXPECT_TRUE(required("postgres"));
  setenv("IDEM_REQUIRE", "", 1);
  EXPECT_FALSE(required("kafka"));
  before ? setenv("IDEM_REQUIRE", restore.c_str(), 1) : unsetenv("IDEM_REQUIRE");
}

}  // namespace
}  // namespace idem::test
