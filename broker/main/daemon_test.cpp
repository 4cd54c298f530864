// Tests the daemon as a whole, with its threads, in this process.
#include "broker/main/daemon.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <csignal>
#include <thread>

#include "broker/core/testing.hpp"
#include "broker/frontends/native/codec.hpp"
#include "broker/net/listener.hpp"

namespace tidegate {
namespace {

namespace asio = boost::asio;

class daemons : public testing::Test {
 protected:
  daemons() {
    log::set_level(log::level::error);
    configuration_.store = {folder_.path(), 8 << 20, {256 * 1024}, true};
    configuration_.queues.push_back({"work"});
    asio::io_context io;
    configuration_.native_listen =
        net::to_string(net::listener::open(io, net::parse_address("127.0.0.1:0").value(), 1)->address());
  }
  ~daemons() override { stop(); }

  void start() {
    runner_ = std::thread([this] {
      try {
        run_daemon(configuration_);
      } catch (const std::exception& failure) {
        failure_ = failure.what();
      }
    });
  }
  void stop() {
    if (!runner_.joinable()) return;
    ::kill(::getpid(), SIGTERM);
    runner_.join();
  }
  asio::ip::tcp::socket connect() {
    asio::ip::tcp::socket socket(io_);
    boost::system::error_code failure;
    for (int i = 0; i < 500; ++i) {
      socket.connect(net::parse_address(configuration_.native_listen).value(), failure);
      if (!failure) break;
      socket.close();
      std::this_thread::sleep_for(milliseconds(10));
    }
    EXPECT_FALSE(failure) << failure.message();
    send(socket, TG_CONNECT, tg_Connect_fields, tg_Connect{1, 1, {}, {}, 0, {}, 0});
    expect(socket, TG_CONNECTED);
    return socket;
  }
  template <class Message>
  void send(asio::ip::tcp::socket& socket, tg_member member, const pb_msgdesc_t* fields, const Message& message) {
    std::string out;
    native::append_frame(out, member, fields, &message, 1'024);
    asio::write(socket, asio::buffer(out));
  }
  void expect(asio::ip::tcp::socket& socket, tg_member member) {
    tg_frame frame;
    while (tg_frame_split(reinterpret_cast<const std::uint8_t*>(received_.data()), received_.size(),
                          limits::frame_bytes, &frame) != TG_SPLIT_READY) {
      char buffer[4'096];
      received_.append(buffer, socket.read_some(asio::buffer(buffer)));
    }
    EXPECT_EQ(frame.member, static_cast<std::uint32_t>(member));
    received_.erase(0, frame.size);
  }

  core::scratch_folder folder_;
  configuration configuration_;
  std::thread runner_;
  std::string failure_;
  asio::io_context io_;
  std::string received_;
};

TEST_F(daemons, stop_cleanly_under_a_consumer_with_deliveries) {
  start();
  auto socket = connect();
  tg_PublishMessage publish{};
  publish.id = 1;
  publish.routing_key = native::bytes_of("work");
  publish.body = native::bytes_of("m");
  send(socket, TG_PUBLISH_MESSAGE, tg_PublishMessage_fields, publish);
  expect(socket, TG_CONFIRM);
  send(socket, TG_CONSUME, tg_Consume_fields, tg_Consume{2, 1, native::bytes_of("work"), 0, false});
  expect(socket, TG_DONE);
  expect(socket, TG_DELIVER);
  stop();
  EXPECT_EQ(failure_, "");
  store::store_options options = configuration_.store;
  options.own_thread = false;
  store::store store(options);
  EXPECT_TRUE(store.start().stopped_cleanly);
  manual_clock clock;
  core::broker broker(store, clock, {});
  EXPECT_EQ(broker.services().inspecting.find_queue("work")->ready(), 1u);
}

TEST_F(daemons, say_why_they_cannot_start) {
  configuration_.native.device_exchange = "nowhere";
  start();
  runner_.join();
  EXPECT_THAT(failure_, testing::HasSubstr("nowhere"));
  configuration_.native.device_exchange = "amq.topic";
  configuration_.bindings = {{"amq.topic", target_kind::queue, "missing", "#"}};
  start();
  runner_.join();
  EXPECT_THAT(failure_, testing::HasSubstr("missing"));
}

TEST_F(daemons, say_whose_the_store_is) {
  store::store_options options = configuration_.store;
  options.own_thread = false;
  const store::store other(options);
  start();
  runner_.join();
  EXPECT_THAT(failure_, testing::HasSubstr("in use by another process"));
}

}  // namespace
}  // namespace tidegate
