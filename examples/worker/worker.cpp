// Consumes readings from the queue `work`, prints them, and publishes an alarm for each one above 30 degrees.
// Usage: worker [COUNT [HOST:PORT]]: ends after COUNT readings (default 5).
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdlib>
#include <iostream>

#include "client/connection.hpp"

namespace tg = tidegate::client;

tg::awaitable<> work(tg::connection& broker, tg::endpoint where, int count) {
  const tg::connect_options options{.name = "worker"};
  co_await broker.open(where, options);
  co_await broker.declare_queue("alarms");
  co_await broker.bind("amq.topic", "queue", "alarms", "alarms.#");
  const std::uint32_t consumer = co_await broker.consume("work", 10);  // at most 10 without an acknowledgement
  for (int i = 0; i < count; ++i) {
    const tg::delivery reading = co_await broker.receive();
    const std::string body(reading.message.body);
    std::cout << reading.message.routing_key << ": " << body << std::endl;
    if (std::atof(body.c_str()) > 30) {
      tidegate::message_view alarm;
      alarm.exchange = "amq.topic";
      alarm.routing_key = "alarms.temperature";
      alarm.body = body;
      const tg::confirmation confirmation = co_await broker.publish(alarm);  // on flash when it returns
      if (confirmation.failure) throw std::runtime_error(confirmation.failure->text);
    }
    co_await broker.settle(reading.tag, tg::outcome::ack);
  }
  co_await broker.cancel(consumer);  // answered after the broker has handled the acknowledgements
}

int main(int argc, char** argv) try {
  const int count = argc > 1 ? std::atoi(argv[1]) : 5;
  const tg::endpoint where = tg::parse_endpoint(argc > 2 ? argv[2] : "127.0.0.1:7420").value();
  boost::asio::io_context io;
  tg::connection broker(io.get_executor());
  boost::asio::co_spawn(io, work(broker, where, count), [&](std::exception_ptr failure) {
    broker.close();
    if (failure) std::rethrow_exception(failure);
  });
  io.run();
} catch (const std::exception& failure) {
  std::cerr << "worker: " << failure.what() << '\n';
  return 1;
}
