// A sink whose destination is a Kafka topic. sink.hpp states the order of calls.
//
// Runs on the executor's one thread. The steps that may block (connecting, searching for records sent before,
// destroying) run one after the other on the sink's own worker thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>

#include "bridge/kafka_settings.hpp"

namespace tidegate::bridge {

// Creates the sink. `source_topic` is the name of the topic at the broker, written into the headers. `events` outlives
// the sink.
std::unique_ptr<sink> make_kafka_sink(boost::asio::any_io_executor executor, kafka_settings settings,
                                      std::string source_topic, sink_events& events);

}  // namespace tidegate::bridge
