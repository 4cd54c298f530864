// A Kafka topic as the destination. See sink.hpp for its life.
//
// Runs on the executor's one thread. Calls that may block (connecting, searching for sent records, destroying) run on a
// worker thread, one after the other.
#pragma once

#include <boost/asio/any_io_executor.hpp>

#include "bridge/kafka_settings.hpp"

namespace tidegate::bridge {

// `source_topic` is the topic at the broker, for the headers. `events` outlives the sink.
std::unique_ptr<sink> make_kafka_sink(boost::asio::any_io_executor executor, kafka_settings settings,
                                      std::string source_topic, sink_events& events);

}  // namespace tidegate::bridge
