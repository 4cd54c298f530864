#define _DEFAULT_SOURCE  // getrandom, and getaddrinfo under -std=c99

#include <tidegate/posix.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum { READ_BYTES = 2048 };

// ---------------------------------------------------------------------------------------------------------- hooks

// A broken link is noticed by the next read. Here it only accepts no bytes.
static size_t send_some(void *context, const uint8_t *data, size_t size) {
  const tg_posix *link = context;
  if (link->state != TG_POSIX_OPEN) return 0;
  const ssize_t sent = send(link->socket, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent < 0 ? 0 : (size_t)sent;
}

static uint32_t monotonic_ms(void *context) {
  struct timespec now;
  (void)context;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint32_t)((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

// getrandom never returns fewer bytes than such a small request. Before the kernel has gathered entropy, the clock and
// the process id replace it.
static uint32_t random_bits(void *context) {
  uint32_t bits;
  if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) != (ssize_t)sizeof bits) {
    bits = monotonic_ms(context) * 2654435761u ^ (uint32_t)getpid();
  }
  return bits;
}

tg_hooks tg_posix_hooks(tg_posix *link) {
  return (tg_hooks){.context = link, .send = send_some, .ticks = monotonic_ms, .random = random_bits};
}

// ------------------------------------------------------------------------------------------------ opening, closing

int tg_posix_init(tg_posix *link, const char *host, const char *port) {
  const struct addrinfo wanted = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  memset(link, 0, sizeof *link);
  link->socket = -1;
  const int error = getaddrinfo(host, port, &wanted, &link->addresses);
  link->next_address = error == 0 ? link->addresses : NULL;
  return error;
}

static void close_socket(tg_posix *link) {
  if (link->socket >= 0) (void)close(link->socket);
  link->socket = -1;
  link->state = TG_POSIX_CLOSED;
}

void tg_posix_close(tg_posix *link) {
  close_socket(link);
  if (link->addresses != NULL) freeaddrinfo(link->addresses);
  link->addresses = link->next_address = NULL;
}

static void lose(tg_posix *link, tg_device *device) {
  close_socket(link);
  tg_device_closed(device);
}

static void finish_connect(tg_posix *link, tg_device *device) {
  link->state = TG_POSIX_OPEN;
  if (tg_device_connected(device) != TG_OK) close_socket(link);
}

static const struct addrinfo *take_address(tg_posix *link) {
  const struct addrinfo *address = link->next_address;
  link->next_address = address->ai_next == NULL ? link->addresses : address->ai_next;
  return address;
}

// Frames are small and sent as a whole, so waiting for more bytes before sending (Nagle) only costs time.
static bool prepare(int fd) {
  const int on = 1;
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) return false;
  return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0;
}

static void open_link(tg_posix *link, tg_device *device) {
  const struct addrinfo *address = take_address(link);
  link->socket = socket(address->ai_family, address->ai_socktype, address->ai_protocol);
  if (link->socket < 0 || !prepare(link->socket)) {
    lose(link, device);
  } else if (connect(link->socket, address->ai_addr, address->ai_addrlen) == 0) {
    finish_connect(link, device);
  } else if (errno == EINPROGRESS || errno == EINTR) {
    link->state = TG_POSIX_CONNECTING;
  } else {
    lose(link, device);
  }
}

// Opens or closes the link as the device wants. Returns true if the link changed: then the device must be polled again,
// because it may have a frame to send.
static bool obey(tg_posix *link, tg_device *device) {
  const tg_posix_state before = link->state;
  const bool is_wanted = tg_device_wants_link(device);
  // A device that gave a link up and already wants the next one must not get the old socket.
  const bool is_stale = link->state == TG_POSIX_OPEN && tg_device_link(device) == TG_LINK_OPENING;
  if (!is_wanted || is_stale) close_socket(link);
  if (!is_wanted || link->state != TG_POSIX_CLOSED) return link->state != before;
  open_link(link, device);
  return true;
}

// ------------------------------------------------------------------------------------------------------- the loop

static void check_connect(tg_posix *link, tg_device *device) {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(link->socket, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error != 0) {
    lose(link, device);
  } else {
    finish_connect(link, device);
  }
}

// One read per step, so that a gateway that never stops sending cannot keep the caller here.
static void read_some(tg_posix *link, tg_device *device) {
  uint8_t bytes[READ_BYTES];
  const ssize_t got = recv(link->socket, bytes, sizeof bytes, MSG_DONTWAIT);
  if (got > 0) {
    if (tg_device_input(device, bytes, (size_t)got) != TG_OK) close_socket(link);
  } else if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
    lose(link, device);
  }
}

static short wanted_events(const tg_posix *link, const tg_device *device) {
  if (link->state == TG_POSIX_CONNECTING) return POLLOUT;
  return tg_device_wants_output(device) ? POLLIN | POLLOUT : POLLIN;
}

static bool wait_for_link(const tg_posix *link, struct pollfd *entry, uint32_t wait_ms) {
  const int timeout = wait_ms > INT32_MAX ? -1 : (int)wait_ms;
  return poll(entry, link->state == TG_POSIX_CLOSED ? 0 : 1, timeout) > 0;
}

void tg_posix_step(tg_posix *link, tg_device *device, uint32_t wait_max_ms) {
  const uint32_t wait_ms = tg_device_poll(device);
  if (obey(link, device)) return;
  struct pollfd entry = {.fd = link->socket, .events = wanted_events(link, device)};
  if (!wait_for_link(link, &entry, wait_ms < wait_max_ms ? wait_ms : wait_max_ms)) return;
  if (link->state == TG_POSIX_CONNECTING) {
    check_connect(link, device);
  } else if (entry.revents & (POLLIN | POLLHUP | POLLERR)) {
    read_some(link, device);
  }
}
