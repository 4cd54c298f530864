// Tests serve.cpp and the listener on real sockets over the loopback. The broker is stepped in the same loop.
#include "broker/frontends/native/serve.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <map>
#include <optional>

#include "broker/frontends/native/testing.hpp"
#include "broker/net/listener.hpp"

namespace tidegate::native {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using testing::SizeIs;

class sockets : public testing::Test {
 protected:
  explicit sockets(std::size_t connections_max = 10, core::stepping_options core = {32 << 20, 512 * 1024, {}})
      : gateway_({}, core), io_(std::in_place) {
    // Connections wait for their sessions' deadlines by the steady clock, so the broker's clock has to show the same
    // time.
    const auto now = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now().time_since_epoch());
    gateway_.broker.clock.advance(now - gateway_.broker.clock.monotonic());
    gateway_.broker->on_work([this](milliseconds) {
      asio::post(*io_, [this] {
        if (commits_) gateway_.broker.commit();
      });
    });
    listener_.emplace(net::listener::open(*io_, net::parse_address("127.0.0.1:0").value(), connections_max).value());
    asio::co_spawn(*io_,
                   listener_->run([this](tcp::socket socket) { return serve(std::move(socket), gateway_.front()); }),
                   asio::detached);
    gateway_.broker.declare_queue("work");
    gateway_.broker.commit();
  }
  // The loop ends while it has connections, as the daemon's loop may.
  ~sockets() override {
    gateway_.broker->on_work([](milliseconds) {});
    listener_.reset();
    io_.reset();
    EXPECT_TRUE(gateway_.front().sessions().empty());
  }

  // A client's end of a connection, read and written without waiting.
  class client {
   public:
    explicit client(sockets& test, int receive_buffer = 0) : test_(test), socket_(*test.io_) {
      socket_.open(tcp::v4());
      if (receive_buffer > 0) socket_.set_option(asio::socket_base::receive_buffer_size(receive_buffer));
      socket_.connect(test.listener_->address());
      socket_.non_blocking(true);
    }
    // Sends as much as the kernel takes now, and returns how many bytes that was.
    std::size_t send_some(std::string_view bytes) {
      boost::system::error_code failure;
      return socket_.write_some(asio::buffer(bytes), failure);
    }
    void send(std::string_view bytes) {
      while (!bytes.empty()) {
        bytes.remove_prefix(send_some(bytes));
        test_.run_for(milliseconds(1));
      }
    }
    void connect() {
      send(from_hex("82 01 04 08 05 10 01"));
      expect("connected 5 producer 0");
    }
    // Reads what is there. Returns false if the gateway has closed.
    bool read() {
      std::vector<char> buffer(64 * 1024);
      boost::system::error_code failure;
      for (std::size_t got; (got = socket_.read_some(asio::buffer(buffer), failure)) > 0;) {
        received_.append(buffer.data(), got);
      }
      return failure == asio::error::would_block;
    }
    std::optional<answer> next() {
      tg_frame frame;
      const auto* const data = reinterpret_cast<const std::uint8_t*>(received_.data());
      if (tg_frame_split(data, received_.size(), limits::frame_bytes, &frame) != TG_SPLIT_READY) return std::nullopt;
      answer found{static_cast<tg_member>(frame.member),
                   std::string(reinterpret_cast<const char*>(frame.body), frame.body_size)};
      received_.erase(0, frame.size);
      return found;
    }
    void expect(std::string_view line) {
      std::optional<answer> found;
      test_.run_until([&] {
        read();
        return (found = next()).has_value();
      });
      ASSERT_TRUE(found.has_value()) << "nothing came instead of " << line;
      EXPECT_EQ(show(*found), line);
    }
    bool is_closed() {
      test_.run_until([&] { return !read(); });
      return !read();
    }
    void close() { socket_.close(); }

   private:
    sockets& test_;
    tcp::socket socket_;
    std::string received_;
  };

  void run_for(milliseconds time) {
    io_->restart();
    io_->run_for(time);
  }
  // Gives up after a long time.
  template <class Condition>
  bool run_until(Condition condition) {
    for (int i = 0; i < 5'000; ++i) {
      if (condition()) return true;
      run_for(milliseconds(1));
    }
    return false;
  }
  static std::string publish_frame(std::uint64_t id, std::string_view body, std::string_view queue = "work") {
    tg_PublishMessage publish{};
    publish.id = id;
    publish.routing_key = bytes_of(queue);
    publish.body = bytes_of(body);
    return frame_of(TG_PUBLISH_MESSAGE, tg_PublishMessage_fields, publish, body.size() + 16);
  }

  gateway gateway_;
  bool commits_ = true;
  std::optional<asio::io_context> io_;
  std::optional<net::listener> listener_;
};

TEST_F(sockets, a_message_goes_in_and_out) {
  client client(*this);
  client.connect();
  client.send(publish_frame(1, "hello"));
  client.expect("confirm through 1 code 0");
  client.send(frame_of(TG_CONSUME, tg_Consume_fields, tg_Consume{2, 1, bytes_of("work"), 0, false}, 8));
  client.expect("done 2 partitions 0 messages 0");
  client.expect("deliver 1 tag 1 'hello'");
  client.send(publish_frame(2, "again"));
  client.expect("confirm through 2 code 0");
  client.expect("deliver 1 tag 2 'again'");
}

TEST_F(sockets, what_lives_in_memory_needs_no_writer) {
  gateway_.broker.defining().declare_queue({"live", durability::memory()}, gateway_.broker.next_receipt()).value();
  gateway_.broker.commit();
  // The writer accepts commit groups and never finishes one.
  gateway_.broker->on_work([this](milliseconds) { asio::post(*io_, [this] { gateway_.broker->flush(); }); });
  const auto written = gateway_.broker->commits().figures().bytes_written;
  client client(*this);
  client.connect();
  client.send(publish_frame(1, "slow"));
  ASSERT_TRUE(run_until([&] { return gateway_.broker.storage().is_busy(); }));
  client.send(frame_of(TG_CONSUME, tg_Consume_fields, tg_Consume{2, 1, bytes_of("live"), 10, true}, 8));
  client.expect("done 2 partitions 0 messages 0");
  std::string frames;
  for (std::uint64_t id = 2; id <= 1'000; ++id) frames += publish_frame(id, "m" + std::to_string(id), "live");
  client.send(frames);
  std::map<std::string, int> confirms;
  std::uint64_t delivered = 0;
  EXPECT_TRUE(run_until([&] {
    client.read();
    while (const auto found = client.next()) {
      const std::string line = show(*found);
      if (line.starts_with("confirm")) ++confirms[line];
      if (!line.starts_with("deliver")) continue;
      EXPECT_THAT(line, testing::EndsWith("'m" + std::to_string(++delivered + 1) + "'"));
    }
    return delivered == 999 && confirms.size() == 999;
  }));
  EXPECT_EQ(confirms.count("confirm 2 code 0"), 1u);
  EXPECT_EQ(gateway_.broker->commits().figures().bytes_written, written);
  gateway_.broker.commit();
  client.expect("confirm through 1 code 0");
}

TEST_F(sockets, the_largest_frame_arrives_in_any_pieces) {
  client client(*this);
  client.connect();
  const std::string frame = publish_frame(1, std::string(limits::body_bytes, 'b'));
  client.send(std::string_view(frame).substr(0, 1));
  client.send(std::string_view(frame).substr(1, 3));
  client.send(std::string_view(frame).substr(4));
  client.expect("confirm through 1 code 0");
}

TEST_F(sockets, half_a_frame_and_a_closed_end_leave_nothing) {
  client client(*this);
  client.connect();
  client.send(frame_of(TG_CONSUME, tg_Consume_fields, tg_Consume{2, 1, bytes_of("work"), 0, false}, 8));
  client.send(publish_frame(1, "whole") + publish_frame(2, "half").substr(0, 5));
  run_until([&] { return gateway_.broker.inspecting().find_queue("work")->figures().unsettled == 1; });
  client.close();
  EXPECT_TRUE(run_until([&] { return gateway_.front().sessions().empty(); }));
  EXPECT_EQ(gateway_.broker.ready("work"), 1u);
}

TEST_F(sockets, an_error_is_sent_before_the_connection_closes) {
  client client(*this);
  client.send(from_hex("00 00"));
  client.expect("error 0 closing code 1 field ");
  EXPECT_TRUE(client.is_closed());
  EXPECT_TRUE(run_until([&] { return gateway_.front().sessions().empty(); }));
}

TEST_F(sockets, a_device_that_comes_again_ends_its_older_connection) {
  const std::string hello = from_hex("0a 17 08 01 12 02 73 31 1d 07 00 00 00 20 01 28 01 30 01 48 80 04 58 d2 09");
  client old(*this), next(*this);
  old.send(hello);
  old.expect("welcome 0 durable 0");
  next.send(hello);
  next.expect("welcome 0 durable 0");
  EXPECT_TRUE(old.is_closed());
  EXPECT_TRUE(run_until([&] { return gateway_.front().sessions().size() == 1; }));
}

TEST_F(sockets, a_peer_that_does_not_read_costs_a_bounded_amount) {
  const std::string body(50'000, 'b');
  for (int i = 0; i < 400; ++i) {
    gateway_.broker.put("work", body);
    gateway_.broker.commit();
  }
  client slow(*this, 4'096), live(*this);
  slow.connect();
  slow.send(frame_of(TG_CONSUME, tg_Consume_fields, tg_Consume{2, 1, bytes_of("work"), 0, false}, 8));
  run_for(milliseconds(200));
  const auto taken = gateway_.broker.inspecting().find_queue("work")->figures().unsettled;
  EXPECT_GT(taken, 0u);
  EXPECT_LT(taken, 200u);  // the rest of the 20 MB stays in the store
  run_for(milliseconds(100));
  EXPECT_EQ(gateway_.broker.inspecting().find_queue("work")->figures().unsettled, taken);
  live.connect();
  live.send(publish_frame(1, "m"));
  live.expect("confirm through 1 code 0");
  // The slow client reads in the end.
  std::size_t delivered = 0;
  run_until([&] {
    slow.read();
    while (slow.next()) ++delivered;
    return delivered == 402;
  });
  EXPECT_EQ(delivered, 402u);  // with Done
}

TEST_F(sockets, the_loop_may_end_under_consumers_with_deliveries) {
  client first(*this), second(*this);
  for (client* const each : {&first, &second}) {
    each->connect();
    each->send(frame_of(TG_CONSUME, tg_Consume_fields, tg_Consume{2, 1, bytes_of("work"), 1, false}, 8));
    each->expect("done 2 partitions 0 messages 0");
  }
  for (int i = 0; i < 10; ++i) gateway_.broker.put("work", "m");
  gateway_.broker.commit();
  EXPECT_TRUE(run_until([&] { return gateway_.broker.inspecting().find_queue("work")->figures().unsettled == 2; }));
}

class few_sockets : public sockets {
 protected:
  few_sockets() : sockets(2) {}
};

TEST_F(few_sockets, more_connections_than_the_limit_are_closed_until_one_ends) {
  client first(*this), second(*this);
  first.connect();
  second.connect();
  {
    client third(*this);
    EXPECT_TRUE(third.is_closed());
  }
  EXPECT_THAT(gateway_.front().sessions(), SizeIs(2));
  first.close();
  EXPECT_TRUE(run_until([&] { return gateway_.front().sessions().size() == 1; }));
  run_for(milliseconds(5));
  client fourth(*this);
  fourth.connect();
}

class busy_sockets : public sockets {
 protected:
  busy_sockets() : sockets(10, {32 << 20, 512 * 1024, {64ull << 20, 100'000}}) {}
};

TEST_F(busy_sockets, publishers_wait_outside_while_the_writer_is_busy_and_go_on_then) {
  client publisher(*this), other(*this);
  publisher.connect();
  other.connect();
  commits_ = false;
  const std::string body(10'000, 'b');
  std::string frames;
  for (std::uint64_t id = 1; id <= 1'000; ++id) frames += publish_frame(id, body);
  std::string_view rest = frames;
  for (int i = 0; i < 300; ++i) {
    rest.remove_prefix(publisher.send_some(rest));
    run_for(milliseconds(1));
  }
  EXPECT_LT(gateway_.broker.storage().open_group().bytes(), 120'000u);
  EXPECT_GT(rest.size(), 0u);
  // A connection without publishes on their way waits, too, and is resumed as well.
  other.send_some(publish_frame(1, "m"));
  run_for(milliseconds(20));
  commits_ = true;
  gateway_.broker.commit();
  other.expect("confirm through 1 code 0");
  std::uint64_t confirmed = 0;
  run_until([&] {
    rest.remove_prefix(publisher.send_some(rest));
    publisher.read();
    while (const auto found = publisher.next()) {
      if (found->member == TG_CONFIRM) confirmed = found->as<tg_Confirm>(tg_Confirm_fields).id;
    }
    return confirmed == 1'000;
  });
  EXPECT_EQ(confirmed, 1'000u);
  EXPECT_EQ(gateway_.broker.ready("work"), 1'001u);
}

}  // namespace
}  // namespace tidegate::native
