// Publishes five readings under the routing key `sensors.hall` and waits until the gateway has them on flash.
// Usage: device [HOST [PORT]], the gateway's (default 127.0.0.1 7420).
#include <stdio.h>
#include <tidegate/posix.h>

int main(int argc, char** argv) {
  static uint8_t ring[4096], receive[512], transmit[1024];  // the program owns all memory
  tg_topic topics[1];
  tg_posix link;
  const tg_config config = {.device_id = "hall",
                            .hooks = tg_posix_hooks(&link),
                            .ring = ring,
                            .ring_size = sizeof ring,
                            .receive = receive,
                            .receive_size = sizeof receive,
                            .transmit = transmit,
                            .transmit_size = sizeof transmit,
                            .topics = topics,
                            .topics_max = 1,
                            .retry_min_ms = TG_RETRY_MIN_MS,
                            .retry_max_ms = TG_RETRY_MAX_MS,
                            .answer_ms = TG_ANSWER_MS};
  tg_device device;
  if (tg_posix_init(&link, argc > 1 ? argv[1] : "127.0.0.1", argc > 2 ? argv[2] : "7420") != 0) return 1;
  if (tg_device_init(&device, &config) != TG_OK || tg_device_topic(&device, 1, "sensors.hall") != TG_OK) return 1;
  tg_device_connect(&device);
  for (int i = 0; i < 5; i++) {
    char reading[16];
    const int size = snprintf(reading, sizeof reading, "%d.5", 28 + i);
    if (tg_device_publish(&device, 1, reading, (size_t)size, NULL) != TG_OK) return 1;
  }
  for (int i = 0; i < 100 && tg_device_stats(&device).held > 0; i++) tg_posix_step(&link, &device, 100);
  tg_posix_close(&link);
  const tg_stats stats = tg_device_stats(&device);
  const uint32_t stored = stats.settled - stats.rejected;
  printf("%u published, %u on flash at the gateway\n", stats.published, stored);
  return stored == stats.published ? 0 : 1;
}
