// Tests the parts of the sample sensor that need no gateway: the command line and the rows of a CSV file.
#include <gmock/gmock.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

extern "C" {
#include "firmware/samples/options.h"
#include "firmware/samples/source.h"
}

namespace {

using testing::ElementsAre;

struct row {
  uint32_t number;
  uint64_t time_ms;
  std::vector<int64_t> milli;
  uint64_t missing;
  bool operator==(const row &) const = default;
};

class csv : public testing::Test {
 protected:
  void TearDown() override {
    csv_close(&source);
    if (!path.empty()) ::unlink(path.c_str());
  }

  bool open(const std::string &content, uint32_t every = 1, uint32_t phase = 0) {
    path = testing::TempDir() + "tidegate-csv-XXXXXX";
    const int descriptor = ::mkstemp(path.data());
    const bool is_written = ::write(descriptor, content.data(), content.size()) == static_cast<ssize_t>(content.size());
    ::close(descriptor);
    return is_written && csv_open(&source, path.c_str(), every, phase);
  }

  std::vector<row> rows() {
    std::vector<row> all;
    tidegate_sample_Reading r;
    while ((last = csv_next(&source, &r)) == SOURCE_READING) {
      all.push_back({r.number, r.time_ms, {r.milli, r.milli + r.milli_count}, r.missing});
    }
    return all;
  }

  std::string path;
  csv_source source = {};
  source_result last = SOURCE_FAILED;
};

TEST_F(csv, rows_become_thousandths) {
  ASSERT_TRUE(open("time,a,b\n1700000000,1.5,-2\n1700000000123,0.0005,1e3\n"));
  EXPECT_THAT(rows(), ElementsAre(row{0, 1700000000000, {1500, -2000}, 0}, row{1, 1700000000123, {1, 1000000}, 0}));
  EXPECT_EQ(last, SOURCE_END);
}

TEST_F(csv, a_file_may_have_no_header_and_no_last_newline) {
  ASSERT_TRUE(open("1,2\r\n\r\n3,4"));
  EXPECT_THAT(rows(), ElementsAre(row{0, 1000, {2000}, 0}, row{1, 3000, {4000}, 0}));
}

TEST_F(csv, times_may_be_written_out) {
  ASSERT_TRUE(open("t,v\n2024-05-01 12:30,1\n\"2024-05-01T12:30:15.250Z\",1\n2024-05-01,1\nnever,1\n"));
  std::vector<uint64_t> times;
  for (const row &one : rows()) times.push_back(one.time_ms);
  EXPECT_THAT(times, ElementsAre(1714566600000, 1714566615250, 1714521600000, 0));
}

TEST_F(csv, empty_columns_and_words_are_missing) {
  ASSERT_TRUE(open("t,a,b,c,d\n1,,2,NORMAL,\n2,nan,1e300,\"3\", 4\n"));
  EXPECT_THAT(rows(), ElementsAre(row{0, 1000, {0, 2000, 0, 0}, 0b1101}, row{1, 2000, {0, 0, 3000, 4000}, 0b0011}));
}

TEST_F(csv, sensors_can_share_a_file) {
  ASSERT_TRUE(open("t,v\n0,0\n1,1\n2,2\n3,3\n4,4\n5,5\n", 3, 1));
  EXPECT_THAT(rows(), ElementsAre(row{1, 1000, {1000}, 0}, row{4, 4000, {4000}, 0}));
}

TEST_F(csv, an_empty_file_has_no_rows) {
  ASSERT_TRUE(open(""));
  EXPECT_TRUE(rows().empty());
  EXPECT_EQ(last, SOURCE_END);
}

TEST_F(csv, the_64th_channel_is_the_last) {
  std::string line = "1";
  for (int i = 0; i < 64; i++) line += ",1";
  ASSERT_TRUE(open(line + "\n" + line + ",1\n"));
  EXPECT_EQ(rows().size(), 1u);
  EXPECT_EQ(last, SOURCE_FAILED);
}

TEST_F(csv, a_line_has_its_limit) {
  ASSERT_TRUE(open("1," + std::string(4092, '0') + "\n"));
  EXPECT_EQ(rows().size(), 1u);
  csv_close(&source);
  ::unlink(path.c_str());
  EXPECT_FALSE(open("1," + std::string(4094, '0') + "\n"));
}

TEST_F(csv, a_file_that_is_not_there_is_told) { EXPECT_FALSE(csv_open(&source, "/nonexistent.csv", 1, 0)); }

TEST(vital_signs, have_ten_channels) {
  tidegate_sample_Reading reading;
  vital_signs(3, &reading);
  EXPECT_EQ(reading.number, 3u);
  EXPECT_EQ(reading.milli_count, 10);
  EXPECT_GT(reading.time_ms, 1600000000000u);
}

options_result read(std::vector<std::string> arguments, sensor_options &options) {
  std::vector<char *> argv = {const_cast<char *>("tidegate-sensor")};
  for (auto &argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  optind = 0;  // getopt starts again
  return read_options(static_cast<int>(argv.size()) - 1, argv.data(), &options);
}

TEST(options, have_defaults) {
  sensor_options options;
  ASSERT_EQ(read({"--device", "pump-7"}, options), OPTIONS_READY);
  EXPECT_STREQ(options.host, "127.0.0.1");
  EXPECT_STREQ(options.port, "7420");
  EXPECT_STREQ(options.topic, "sensors.pump-7");
  EXPECT_EQ(options.interval_ms, 1000u);
}

TEST(options, take_a_host_of_every_kind) {
  sensor_options options;
  ASSERT_EQ(read({"--device=a", "--broker=gateway.local:7421"}, options), OPTIONS_READY);
  EXPECT_STREQ(options.host, "gateway.local");
  EXPECT_STREQ(options.port, "7421");
  ASSERT_EQ(read({"--device=a", "--broker=[::1]:7421"}, options), OPTIONS_READY);
  EXPECT_STREQ(options.host, "::1");
}

TEST(options, refuse_what_is_wrong) {
  const std::vector<std::vector<std::string>> cases = {{"--broker", "host"},
                                                       {"--broker", ":7420"},
                                                       {"--broker", "host:0"},
                                                       {"--broker", "host:65536"},
                                                       {"--broker", "host:x"},
                                                       {"--device", "a/b"},
                                                       {"--device", ""},
                                                       {"--device", "seventeen-letters"},
                                                       {"--interval-ms", "-1"},
                                                       {"--interval-ms", "1x"},
                                                       {"--count", ""},
                                                       {"--every", "0"},
                                                       {"--csv=f", "--phase=1"},
                                                       {"--every", "2"},
                                                       {"--ring-bytes", "511"},
                                                       {"--linger-seconds", "999999"},
                                                       {"--count", "4294967296"},
                                                       {"--token", ""},
                                                       {"--unknown"},
                                                       {"argument"},
                                                       {"--device"},
                                                       {"--topic", std::string(256, 't')}};
  for (const auto &arguments : cases) {
    sensor_options options;
    EXPECT_EQ(read(arguments, options), OPTIONS_BAD) << testing::PrintToString(arguments);
  }
}

}  // namespace
