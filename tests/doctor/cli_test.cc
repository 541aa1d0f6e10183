// idem doctor as a program: exit codes, JSON, and what it says to those who mistype.
#include <gtest/gtest.h>
#include <sys/statfs.h>

#include <filesystem>
#include <fstream>

#include <idem/sqlite_store.h>

#include "program.h"
#include "support/scratch.h"

namespace idem::test {
namespace {

struct DoctorProgram : testing::Test {
  void SetUp() override { SqliteStore({.path = path}); }
  bool scratch_is_in_memory() const {
    struct statfs info {};
    return statfs(scratch.path().c_str(), &info) == 0 && info.f_type == 0x01021994;
  }
  Scratch scratch{"doctor"};
  const std::string path = scratch / "store.db";
};

TEST_F(DoctorProgram, a_sound_store_is_0) {
  if (scratch_is_in_memory()) GTEST_SKIP() << "the scratch directory is in memory, which is not sound";
  const Ended ended = idem({"doctor", "--store", path});
  EXPECT_EQ(ended.code, 0) << ended.output;
  EXPECT_TRUE(says(ended, " pass, 0 fail, 0 unknown")) << ended.output;
}

TEST_F(DoctorProgram, a_store_in_use_is_looked_at_as_well) {
  SqliteStore running({.path = path});
  const Ended ended = idem({"doctor", "--store", path, "--json"});
  EXPECT_NE(ended.code, 3) << ended.output;
  const auto json = ended.json();
  ASSERT_GT(json["checks"].size(), 5u) << ended.output;
  for (const auto& check : json["checks"])
    EXPECT_TRUE(check["verdict"] == "pass" || check["name"] == "store.file_system") << check;
}

TEST_F(DoctorProgram, a_missing_store_is_1_and_json_says_so) {
  const Ended ended = idem({"doctor", "--store", scratch / "missing.db", "--json"});
  EXPECT_EQ(ended.code, 1);
  const auto json = ended.json();
  ASSERT_TRUE(json.is_object()) << ended.output;
  EXPECT_EQ(json["verdict"], "fail");
  EXPECT_EQ(json["exit_code"], 1);
  ASSERT_EQ(json["checks"].size(), 1u);
  EXPECT_EQ(json["checks"][0]["name"], "store.file");
  EXPECT_EQ(json["checks"][0]["verdict"], "fail");
  EXPECT_FALSE(json["checks"][0]["remedy"].get<std::string>().empty());
}

TEST_F(DoctorProgram, what_cannot_be_understood_is_3) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{},
                                             {"doctor"},
                                             {"doctor", "--no-such-option"},
                                             {"doctr"},
                                             {"doctor", "--store"},
                                             {"doctor", "--store", path, "--retention", "7"},
                                             {"doctor", "--store", path, "--retention", "7 weeks"}}) {
    const Ended ended = idem(arguments);
    EXPECT_EQ(ended.code, 3) << ended.output;
    EXPECT_FALSE(ended.output.empty());
  }
  EXPECT_TRUE(says(idem({"doctor", "--store", path, "--retention", "7"}), "such as 7d"));
}

TEST_F(DoctorProgram, help_and_version_are_0) {
  EXPECT_EQ(idem({"--help"}).code, 0);
  EXPECT_TRUE(says(idem({"doctor", "--help"}), "2 nothing fails, and something is unknown"));
  EXPECT_TRUE(says(idem({"--version"}), "idem 0."));
}

TEST_F(DoctorProgram, a_password_that_is_no_property_is_not_shown) {
  const Ended ended = idem({"doctor", "--kafka", "127.0.0.1:1", "--property", "hunter2"});
  EXPECT_EQ(ended.code, 3);
  EXPECT_FALSE(says(ended, "hunter2")) << ended.output;
}

}  // namespace
}  // namespace idem::test
