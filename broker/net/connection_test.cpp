// Tests the connection on real sockets over the loopback, with a minimal front-end of its own: what works here works
// for any protocol.
#include "broker/net/connection.hpp"

#include <gtest/gtest.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>
#include <stdexcept>
#include <vector>

#include "broker/net/listener.hpp"

namespace tidegate::net {
namespace {

namespace asio = boost::asio;

milliseconds now() {
  return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now().time_since_epoch());
}

// A protocol of lines. Each line is echoed. `bytes N` sends N bytes first, `pause` stops input until resume(), `tick`
// sends a further line after 30 ms, `quit` ends the session, `throw` throws.
class line_session final : public session {
 public:
  line_session(std::function<void()> wake, line_session*& self) : wake_(std::move(wake)), self_(self) { self_ = this; }
  ~line_session() override { self_ = nullptr; }

  std::size_t input(std::string_view data) override {
    std::size_t taken = 0;
    for (auto end = data.find('\n'); end != data.npos && !is_paused() && !closing_; end = data.find('\n', taken)) {
      line(std::string(data.substr(taken, end - taken)));
      taken = end + 1;
    }
    return taken;
  }
  bool is_paused() const override { return paused_ || !outbox_.has_room(); }
  bool is_closing() const override { return closing_; }
  void close() override { closing_ = true; }
  void fill() override {
    if (now() < deadline_) return;
    deadline_ = milliseconds::max();
    outbox_.bytes() += "tick\n";
  }
  net::outbox& outbox() override { return outbox_; }
  milliseconds deadline() const override { return deadline_; }
  std::string description() const override { return "line session"; }

  void resume() {
    paused_ = false;
    wake_();
  }
  std::size_t lines() const { return lines_; }

 private:
  void line(const std::string& text) {
    ++lines_;
    if (text == "pause") paused_ = true;
    if (text == "quit") closing_ = true;
    if (text == "throw") throw std::runtime_error("thrown");
    if (text == "tick") deadline_ = now() + milliseconds(30);
    if (text.starts_with("bytes ")) outbox_.bytes().append(std::stoul(text.substr(6)), 'x');
    outbox_.bytes() += text + "\n";
    wake_();
  }

  std::function<void()> wake_;
  line_session*& self_;
  net::outbox outbox_;
  bool paused_ = false, closing_ = false;
  milliseconds deadline_ = milliseconds::max();
  std::size_t lines_ = 0;
};

class connections : public testing::Test {
 protected:
  connections() {
    asio::co_spawn(io_, listener_.run([this](tcp::socket socket) {
      // A small buffer, so that the kernel does not take everything that is sent at once.
      socket.set_option(asio::socket_base::send_buffer_size(16 * 1024));
      const auto make = [this](const std::string&, std::function<void()> wake) {
        return std::make_unique<line_session>(std::move(wake), session_);
      };
      return serve(std::move(socket), make, {room_, milliseconds(200)});
    }),
                   asio::detached);
    client_.open(tcp::v4());
    client_.set_option(asio::socket_base::receive_buffer_size(16 * 1024));
    client_.connect(listener_.address());
    client_.non_blocking(true);
    run_until([this] { return session_ != nullptr; });
  }

  template <class Condition>
  bool run_until(const Condition& condition) {
    for (const milliseconds end = now() + milliseconds(10'000); !condition() && now() < end;) {
      io_.restart();
      io_.run_for(milliseconds(1));
    }
    return condition();
  }
  void send(std::string_view bytes) {
    run_until([&] {
      boost::system::error_code failure;
      bytes.remove_prefix(client_.write_some(asio::buffer(bytes), failure));
      return bytes.empty();
    });
  }
  // Reads what is there now. Returns false if the other end has closed.
  bool read() {
    char buffer[4'096];
    boost::system::error_code failure;
    for (std::size_t got; (got = client_.read_some(asio::buffer(buffer), failure)) > 0;) received_.append(buffer, got);
    return failure == asio::error::would_block;
  }
  bool gets(std::string_view text) {
    return run_until([&] {
      read();
      return received_ == text;
    });
  }

  asio::io_context io_{1};
  std::vector<char> room_ = std::vector<char>(64);
  line_session* session_ = nullptr;
  listener listener_ = listener::open(io_, parse_address("127.0.0.1:0").value(), 10).value();
  tcp::socket client_{io_};
  std::string received_;
};

TEST_F(connections, a_line_in_pieces_comes_back_whole) {
  for (const char byte : std::string("one\ntw")) send({&byte, 1});
  EXPECT_TRUE(gets("one\n"));
  send("o\nthree\n");
  EXPECT_TRUE(gets("one\ntwo\nthree\n"));
}

// The line is longer than the buffer that bytes are received into.
TEST_F(connections, a_long_line_is_kept_until_it_is_whole) {
  const std::string line(10'000, 'y');
  send(line + "\n");
  EXPECT_TRUE(gets(line + "\n"));
}

TEST_F(connections, paused_takes_nothing_and_loses_nothing) {
  send("pause\nb\nc\n");
  EXPECT_TRUE(gets("pause\n"));
  send(std::string(200, 'd') + "\n");
  run_until([until = now() + milliseconds(20)] { return now() > until; });
  EXPECT_EQ(session_->lines(), 1u);
  session_->resume();
  EXPECT_TRUE(gets("pause\nb\nc\n" + std::string(200, 'd') + "\n"));
}

TEST_F(connections, the_deadline_fills) {
  send("tick\n");
  EXPECT_TRUE(gets("tick\ntick\n"));
}

TEST_F(connections, closing_sends_what_is_left) {
  send("bytes 100000\nquit\nnever\n");
  EXPECT_TRUE(run_until([this] { return !read(); }));
  EXPECT_EQ(received_, std::string(100'000, 'x') + "bytes 100000\nquit\n");
  EXPECT_TRUE(run_until([this] { return session_ == nullptr; }));
}

TEST_F(connections, who_leaves_ends_the_session) {
  client_.close();
  EXPECT_TRUE(run_until([this] { return session_ == nullptr; }));
}

TEST_F(connections, who_reads_no_answers_is_not_read_above_the_mark) {
  const std::string request = "bytes " + std::to_string(limits::outbox_bytes_mark) + "\n";
  send(request);
  for (int i = 0; i < 20; ++i) send(request);
  run_until([until = now() + milliseconds(50)] { return now() > until; });
  EXPECT_LT(session_->lines(), 10u);
  std::size_t got = 0;
  EXPECT_TRUE(run_until([&] {
    read();
    got += std::exchange(received_, {}).size();
    return got == 21 * (limits::outbox_bytes_mark + request.size());
  }));
}

TEST_F(connections, who_takes_nothing_at_all_is_gone) {
  send("bytes 1000000\n");
  EXPECT_TRUE(run_until([this] { return session_ == nullptr; }));
}

TEST_F(connections, whose_answers_are_over_the_limit_ends) {
  send("bytes " + std::to_string(limits::outbox_bytes_max + 1) + "\n");
  EXPECT_TRUE(run_until([this] { return session_ == nullptr; }));
}

// A store that failed has to end the process at once.
TEST_F(connections, what_a_session_throws_is_rethrown) {
  bool thrown = false;
  try {
    send("throw\n");
    run_until([] { return false; });
  } catch (const std::runtime_error&) {
    thrown = true;
  }
  EXPECT_TRUE(thrown);
}

}  // namespace
}  // namespace tidegate::net
