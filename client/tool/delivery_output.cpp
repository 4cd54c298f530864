#include "client/tool/delivery_output.hpp"

#include "client/tool/output.hpp"
#include "client/tool/rendering.hpp"

namespace tidegate::tool {

void show(const client::delivery& delivery, std::string_view queue, bool is_raw, bool as_json) {
  if (is_raw) return print_line(delivery.message.body);
  if (!as_json) return print_line(message_line(delivery.message, delivery.timestamp_ms));
  boost::json::object line{{"queue", queue},
                           {"tag", delivery.tag},
                           {"redelivered", delivery.redelivered},
                           {"delivery_count", delivery.delivery_count}};
  add_message(line, delivery.message, delivery.timestamp_ms);
  print_json(line);
}

}  // namespace tidegate::tool
