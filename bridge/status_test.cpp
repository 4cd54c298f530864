#include "bridge/status.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <system_error>

namespace tidegate::bridge {
namespace {

using testing::HasSubstr;

bridge_status sample() {
  partition_status partition{0, "forwarding", 12, 3, 1.5, {}};
  partition.counters.sent_records = 15;
  partition.counters.lost_records = 7;
  partition.counters.lost_ranges = {{2, 9}};
  route_status route{"to-centre", "readings", "kafka", "readings", "open", "", {}, 1, {partition}};
  route_status held{"held", "other", "kafka", "other", "backing off", "refused", milliseconds(250), 4, {}};
  return {"bridge", "127.0.0.1:7420", "connected", "gw", "inc", {route, held}};
}

TEST(status, is_written_as_json) {
  const auto json = boost::json::parse(to_json(sample(), milliseconds(99)));
  EXPECT_EQ(json.at("updated_ms").as_int64(), 99);
  const auto& partition = json.at("routes").at(0).at("partitions").at(0);
  EXPECT_EQ(partition.at("lag_records").to_number<int>(), 3);
  EXPECT_EQ(partition.at("lost_ranges").at(0).at("first").to_number<int>(), 2);
  EXPECT_EQ(partition.at("lost_ranges").at(0).at("last").to_number<int>(), 8);
  EXPECT_EQ(json.at("routes").at(1).at("retry_in_ms").to_number<int>(), 250);
}

TEST(status, is_shown_as_a_table) {
  const std::string table = status_table(to_json(sample(), milliseconds(99))).value();
  EXPECT_THAT(table, HasSubstr("bridge bridge, broker 127.0.0.1:7420 (connected), gateway gw"));
  EXPECT_THAT(table, HasSubstr("to-centre  0     forwarding   3    1.5      15"));
  EXPECT_THAT(table, HasSubstr("refused (again in 250 ms)"));
}

TEST(status, of_something_else_is_an_error) {
  EXPECT_FALSE(status_table("{}"));
  EXPECT_FALSE(status_table("not json"));
}

TEST(status, replaces_its_file_in_one_step) {
  char directory[] = "/tmp/tidegate-status-XXXXXX";
  ASSERT_NE(mkdtemp(directory), nullptr);
  const std::string path = std::string(directory) + "/status.json";
  write_status_file(path, "one");
  write_status_file(path, "two");
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_EQ(text.str(), "two");
  EXPECT_FALSE(std::ifstream(path + ".new").good());
  EXPECT_THROW(write_status_file(std::string(directory) + "/none/status.json", "x"), std::system_error);
  std::remove(path.c_str());
  std::remove(directory);
}

}  // namespace
}  // namespace tidegate::bridge
