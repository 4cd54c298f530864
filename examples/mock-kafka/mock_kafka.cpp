// tidegate-mock-kafka: librdkafka's mock cluster as a process of its own, on the loopback interface.
//
// Prints its bootstrap servers. `down` and `up` on standard input, or SIGUSR1 and SIGUSR2, cut the link to all of its
// brokers and mend it; connections are closed, ports are kept. Ends on SIGTERM, SIGINT or `quit`.
//
// Differences of the mock (librdkafka 2.0.2) to a real Kafka: A partition keeps 5 MiB of batches, and the oldest are
// dropped first. The sequence numbers of an idempotent producer are checked only in transactions. If a batch was stored
// and its answer was cut off, the batch is therefore stored again when it is sent again; Kafka would drop it. A topic
// that a client requests is made, with 4 partitions.
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

namespace {

class cluster {
 public:
  explicit cluster(int brokers) : handle_(make_handle()) {
    cluster_.reset(rd_kafka_mock_cluster_new(handle_.get(), brokers));
    if (!cluster_) throw std::runtime_error("the mock cluster cannot be made");
  }
  std::string bootstrap() const { return rd_kafka_mock_cluster_bootstraps(cluster_.get()); }
  void create(const std::string& topic, int partitions) {
    const auto failure = rd_kafka_mock_topic_create(cluster_.get(), topic.c_str(), partitions, 1);
    if (failure != RD_KAFKA_RESP_ERR_NO_ERROR) throw std::runtime_error(topic + ": " + rd_kafka_err2str(failure));
  }
  void cut() {
    rd_kafka_mock_broker_set_down(cluster_.get(), -1);
    say("down");
  }
  void mend() {
    rd_kafka_mock_broker_set_up(cluster_.get(), -1);
    say("up");
  }

 private:
  using handle = std::unique_ptr<rd_kafka_t, decltype(&rd_kafka_destroy)>;

  static handle make_handle() {
    rd_kafka_conf_t* const conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, nullptr);
    char reason[512];
    handle made(rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason), rd_kafka_destroy);
    if (!made) throw std::runtime_error(reason);
    return made;
  }
  static void say(const char* state) {
    std::puts(state);
    std::fflush(stdout);
  }

  handle handle_;
  std::unique_ptr<rd_kafka_mock_cluster_t, decltype(&rd_kafka_mock_cluster_destroy)> cluster_{
      nullptr, rd_kafka_mock_cluster_destroy};
};

struct topic {
  std::string name;
  int partitions;
};

topic parse_topic(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == text.npos || colon == 0) throw CLI::ValidationError("--topic", text + " is not NAME:PARTITIONS");
  const int partitions = std::atoi(text.c_str() + colon + 1);
  if (partitions < 1) throw CLI::ValidationError("--topic", text + " needs at least one partition");
  return {text.substr(0, colon), partitions};
}

// Called before any thread is started, so that no thread of librdkafka receives these signals.
int catch_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : {SIGTERM, SIGINT, SIGUSR1, SIGUSR2}) sigaddset(&set, signal);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  return signalfd(-1, &set, SFD_CLOEXEC);
}

// Returns false if the program must end.
bool obey_signal(int descriptor, cluster& kafka) {
  signalfd_siginfo told{};
  if (read(descriptor, &told, sizeof told) != sizeof told) return true;
  if (told.ssi_signo == SIGUSR1) kafka.cut();
  if (told.ssi_signo == SIGUSR2) kafka.mend();
  return told.ssi_signo == SIGUSR1 || told.ssi_signo == SIGUSR2;
}

bool obey_line(const std::string& line, cluster& kafka) {
  if (line == "down") kafka.cut();
  if (line == "up") kafka.mend();
  return line != "quit";
}

bool obey_lines(std::string& unread, cluster& kafka) {
  for (std::size_t end = unread.find('\n'); end != unread.npos; end = unread.find('\n')) {
    const std::string line = unread.substr(0, end);
    unread.erase(0, end + 1);
    if (!obey_line(line, kafka)) return false;
  }
  return true;
}

void serve(int signals, cluster& kafka) {
  pollfd waits[] = {{signals, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
  std::string unread;
  while (true) {
    if (poll(waits, 2, -1) < 0) continue;
    if ((waits[0].revents & POLLIN) != 0 && !obey_signal(signals, kafka)) return;
    if (waits[1].revents == 0) continue;
    char piece[256];
    const ssize_t size = read(STDIN_FILENO, piece, sizeof piece);
    // The end of standard input does not end the cluster, which may run in the background.
    if (size <= 0) waits[1].fd = -1;
    if (size > 0) unread.append(piece, static_cast<std::size_t>(size));
    if (!obey_lines(unread, kafka)) return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("A Kafka cluster for demonstrations: librdkafka's mock, on loopback, in memory.");
  std::string port_file;
  std::vector<std::string> topics;
  int brokers = 1;
  app.add_option("--port-file", port_file, "write the bootstrap servers there, too");
  app.add_option("--topic", topics, "NAME:PARTITIONS, may be repeated");
  app.add_option("--brokers", brokers, "how many")->check(CLI::Range(1, 9));
  CLI11_PARSE(app, argc, argv);
  try {
    const int signals = catch_signals();
    cluster kafka(brokers);
    for (const std::string& text : topics) {
      const topic wanted = parse_topic(text);
      kafka.create(wanted.name, wanted.partitions);
    }
    if (!port_file.empty()) std::ofstream(port_file) << kafka.bootstrap() << std::endl;
    std::puts(kafka.bootstrap().c_str());
    std::fflush(stdout);
    serve(signals, kafka);
    return 0;
  } catch (const CLI::Error& failure) {
    return app.exit(failure);
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "tidegate-mock-kafka: %s\n", failure.what());
    return 1;
  }
}
