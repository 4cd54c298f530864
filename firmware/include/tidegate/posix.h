// The device client on a POSIX system: a TCP link, the monotonic clock and the kernel's random numbers.
//
//   tg_posix link;
//   if (!tg_posix_init(&link, "gateway.local", "7420")) ...
//   config.hooks = tg_posix_hooks(&link);
//   ... tg_device_init, tg_device_topic, tg_device_connect ...
//   for (;;) tg_posix_step(&link, &device, wait_max_ms);
//   tg_posix_close(&link);
//
// Only tg_posix_init may block, and only for a host name, because it asks the resolver once. With a numeric host it
// never blocks.
#pragma once

#include <netdb.h>
#include <sys/socket.h>
#include <tidegate/device.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tg_posix_state { TG_POSIX_CLOSED, TG_POSIX_CONNECTING, TG_POSIX_OPEN } tg_posix_state;

// A TCP link. The members are private; the struct is declared here because the caller provides its memory. Each attempt
// to connect uses the host's next address.
typedef struct tg_posix {
  struct addrinfo *addresses;
  struct addrinfo *next_address;
  tg_posix_state state;
  int socket;
} tg_posix;

// Resolves the host. Returns 0, or an error of getaddrinfo that gai_strerror translates.
TG_MUST_USE int tg_posix_init(tg_posix *link, const char *host, const char *port);

// Returns the hooks for tg_config. The caller may set `rejected`. `link` must live as long as the device.
tg_hooks tg_posix_hooks(tg_posix *link);

// Polls the device and opens or closes the link as the device wants. If that changed nothing, waits for the link at
// most wait_max_ms, and less if the device has something to do before or if a signal comes; then passes the received
// bytes to the device. Call it in a loop.
void tg_posix_step(tg_posix *link, tg_device *device, uint32_t wait_max_ms);

// Closes the socket and frees the addresses.
void tg_posix_close(tg_posix *link);

#ifdef __cplusplus
}
#endif
