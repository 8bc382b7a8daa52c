// Load for `tandem serve`, by one thread on epoll, so that it takes little of the machine itself.
//   serve_load --port P [--path /v1/embeddings] --bodies FILE [--connections 64] [--seconds 10]
//     [--warm 1] [--rate R] [--retry-ms 1000] [--slow N] [--pid PID]
// Bodies: one a line, in turn. Without --rate each connection asks again as soon as it is answered,
// or --retry-ms after it was refused (what Retry-After asks for). With --rate requests go out at
// that rate whatever comes back; those for which no connection is free count as "unsent". --slow:
// that many more connections each send a byte of a head, or of a body, every 3 s. Prints one object
// of JSON: answers a second, and by status their number and p50, p99 in ms; the server's memory.
#include <algorithm>
#include <arpa/inet.h>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <map>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <queue>
#include <string>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

struct Options {
  int port = 0;
  std::string path = "/v1/embeddings";
  std::string bodies;
  int connections = 64;
  double seconds = 10;
  double warm_s = 1;
  double rate = 0;
  int retry_ms = 1000;
  int slow = 0;
  int pid = 0;
};

Options read_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const char* value = argv[i + 1];
    if (name == "--port") options.port = std::atoi(value);
    if (name == "--path") options.path = value;
    if (name == "--bodies") options.bodies = value;
    if (name == "--connections") options.connections = std::atoi(value);
    if (name == "--seconds") options.seconds = std::atof(value);
    if (name == "--warm") options.warm_s = std::atof(value);
    if (name == "--rate") options.rate = std::atof(value);
    if (name == "--retry-ms") options.retry_ms = std::atoi(value);
    if (name == "--slow") options.slow = std::atoi(value);
    if (name == "--pid") options.pid = std::atoi(value);
  }
  if (options.port == 0 || options.bodies.empty()) {
    std::fputs("usage: serve_load --port P --bodies FILE [options: see bench/serve_load.cc]\n",
               stderr);
    std::exit(2);
  }
  return options;
}

std::vector<std::string> requests_of(const Options& options) {
  std::ifstream lines(options.bodies);
  std::vector<std::string> requests;
  for (std::string line; std::getline(lines, line);) {
    requests.push_back("POST " + options.path +
                       " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                       "Content-Length: " +
                       std::to_string(line.size()) + "\r\n\r\n" + line);
  }
  if (requests.empty()) {
    std::fprintf(stderr, "%s: no bodies in it\n", options.bodies.c_str());
    std::exit(2);
  }
  return requests;
}

long memory_kb(int pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::atol(line.c_str() + 6);
  }
  return 0;
}

double cpu_seconds(int pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(stat, text);
  const auto end = text.rfind(')');
  if (end == std::string::npos) return 0;
  long user = 0;
  long system = 0;
  std::sscanf(text.c_str() + end + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld", &user,
              &system);
  return static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

int open_socket(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 && errno != EINPROGRESS) {
    close(fd);
    return -1;
  }
  return fd;
}

// One that asks, or a slow one.
struct Connection {
  int fd = -1;
  bool slow = false;
  bool drips_in_head = false;
  bool busy = false;
  const std::string* out = nullptr;
  std::size_t sent = 0;
  std::string head;  // of the answer, until it is whole
  std::size_t body_left = 0;
  int status = 0;
  bool in_body = false;
  bool closes = false;
  Clock::time_point began;
};

class Load {
 public:
  explicit Load(const Options& options)
      : options_(options), requests_(requests_of(options)), epoll_(epoll_create1(EPOLL_CLOEXEC)) {}

  void run() {
    for (int i = 0; i < options_.connections + options_.slow; ++i) {
      all_.push_back(std::make_unique<Connection>());
      all_.back()->slow = i >= options_.connections;
    }
    start_ = Clock::now();
    count_from_ = start_ + std::chrono::duration_cast<Clock::duration>(Seconds(options_.warm_s));
    const auto end =
        count_from_ + std::chrono::duration_cast<Clock::duration>(Seconds(options_.seconds));
    for (auto& connection : all_) begin(*connection);
    next_send_ = start_;
    next_look_ = count_from_;
    while (Clock::now() < end) turn();
    server_cpu_ = cpu_seconds(options_.pid) - server_cpu_;
    print(Seconds(Clock::now() - count_from_).count());
  }

 private:
  struct Later {
    Clock::time_point at;
    Connection* connection;
    bool operator<(const Later& other) const { return at > other.at; }
  };

  void begin(Connection& connection) {
    connection = Connection{.slow = connection.slow, .drips_in_head = slow_turn_ % 2 == 0};
    connection.fd = open_socket(options_.port);
    if (connection.fd < 0) {
      ++failed_connections_;
      return later(connection, 1000);
    }
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.ptr = &connection;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event);
    if (connection.slow) return later(connection, 1 + static_cast<int>(slow_turn_++ % 3000));
    if (options_.rate > 0) {
      free_.push_back(&connection);
    } else {
      ask(connection);
    }
  }

  void later(Connection& connection, int ms) {
    later_.push({Clock::now() + std::chrono::milliseconds(ms), &connection});
  }

  void ask(Connection& connection) {
    connection.busy = true;
    connection.out = &requests_[turn_++ % requests_.size()];
    connection.sent = 0;
    connection.began = Clock::now();
    write(connection);
  }

  void write(Connection& connection) {
    while (connection.out != nullptr && connection.sent < connection.out->size()) {
      const auto sent = send(connection.fd, connection.out->data() + connection.sent,
                             connection.out->size() - connection.sent, MSG_NOSIGNAL);
      if (sent < 0 && (errno == EAGAIN || errno == ENOTCONN)) return arm_write(connection);
      if (sent < 0) return fail(connection);
      connection.sent += static_cast<std::size_t>(sent);
    }
  }

  void arm_write(Connection& connection) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.ptr = &connection;
    epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd, &event);
  }

  void fail(Connection& connection) {
    if (connection.busy && Clock::now() >= count_from_) ++failed_requests_;
    if (connection.slow) ++slow_closed_;
    close(connection.fd);
    connection.fd = -1;
    later(connection, 10);  // not from here: where nobody listens, this would nest without end
  }

  // A byte of something that never ends.
  void drip(Connection& connection) {
    static const std::string head = "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nX-A: ";
    static const std::string body = head + "b\r\nContent-Length: 1000\r\n\r\n";
    const bool in_head = connection.drips_in_head;
    const auto& first = in_head ? head : body;
    const bool begins = connection.sent == 0;
    const auto sent =
        send(connection.fd, begins ? first.data() : "a", begins ? first.size() : 1, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != ENOTCONN) return fail(connection);
    if (sent > 0) connection.sent += static_cast<std::size_t>(sent);
    later(connection, 3000);
  }

  void read(Connection& connection) {
    static std::vector<char> buffer(256 << 10);
    while (true) {
      const auto got = recv(connection.fd, buffer.data(), buffer.size(), 0);
      if (got < 0 && errno == EAGAIN) return;
      if (got <= 0) {
        // A slow one's next drip finds it closed: begin() would put it into `later_` twice.
        if (connection.slow) return;
        return fail(connection);
      }
      if (!connection.slow) take(connection, {buffer.data(), static_cast<std::size_t>(got)});
      if (static_cast<std::size_t>(got) < buffer.size()) return;
    }
  }

  void take(Connection& connection, std::string_view bytes) {
    if (!connection.in_body) {
      connection.head.append(bytes);
      const auto end = connection.head.find("\r\n\r\n");
      if (end == std::string::npos) return;
      connection.status = std::atoi(connection.head.c_str() + 9);
      std::transform(connection.head.begin(), connection.head.end(), connection.head.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      const auto length = connection.head.find("content-length: ");
      connection.body_left =
          length < end ? std::strtoul(connection.head.c_str() + length + 16, nullptr, 10) : 0;
      connection.closes = connection.head.find("connection: close") < end;
      connection.in_body = true;
      bytes.remove_prefix(bytes.size() - (connection.head.size() - end - 4));
    }
    connection.body_left -= std::min(connection.body_left, bytes.size());
    if (connection.body_left == 0) answered(connection);
  }

  void answered(Connection& connection) {
    const auto now = Clock::now();
    if (now >= count_from_) {
      latencies_[connection.status].push_back(
          static_cast<float>(Seconds(now - connection.began).count() * 1e3));
    }
    connection.in_body = false;
    connection.busy = false;
    connection.head.clear();
    connection.out = nullptr;
    if (connection.closes) {
      close(connection.fd);
      return begin(connection);
    }
    if (options_.rate > 0) {
      free_.push_back(&connection);
    } else if (connection.status >= 400 && options_.retry_ms > 0) {
      later(connection, options_.retry_ms);
    } else {
      ask(connection);
    }
  }

  void turn() {
    epoll_event events[256];
    const auto now = Clock::now();
    auto wake = now + std::chrono::milliseconds(100);
    if (!later_.empty()) wake = std::min(wake, later_.top().at);
    if (options_.rate > 0) wake = std::min(wake, next_send_);
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(wake - now).count();
    const int count = epoll_wait(epoll_, events, 256, static_cast<int>(std::max<long>(0, left)));
    for (int i = 0; i < count; ++i) {
      auto& connection = *static_cast<Connection*>(events[i].data.ptr);
      const int fd = connection.fd;
      if ((events[i].events & EPOLLOUT) != 0) write(connection);
      if (connection.fd == fd && (events[i].events & ~EPOLLOUT) != 0) read(connection);
    }
    while (!later_.empty() && later_.top().at <= Clock::now()) {
      auto& connection = *later_.top().connection;
      later_.pop();
      if (connection.fd < 0) {
        begin(connection);
      } else if (connection.slow) {
        drip(connection);
      } else if (!connection.busy) {
        ask(connection);
      }
    }
    send_due();
    look();
  }

  void send_due() {
    if (options_.rate <= 0) return;
    const auto step = std::chrono::duration_cast<Clock::duration>(Seconds(1 / options_.rate));
    while (next_send_ <= Clock::now()) {
      next_send_ += step;
      if (free_.empty()) {
        if (Clock::now() >= count_from_) ++unsent_;
        continue;
      }
      auto* connection = free_.back();
      free_.pop_back();
      ask(*connection);
    }
  }

  void look() {
    if (options_.pid == 0 || Clock::now() < next_look_) return;
    if (memory_.empty()) server_cpu_ = cpu_seconds(options_.pid);
    memory_.push_back(memory_kb(options_.pid));
    next_look_ += std::chrono::milliseconds(500);
  }

  void print(double seconds) {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const double cpu = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                       static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    std::printf("{\"seconds\":%.2f,\"rate\":%.1f,\"by_status\":{", seconds,
                static_cast<double>(latencies_[200].size()) / seconds);
    const char* comma = "";
    for (auto& [status, times] : latencies_) {
      if (times.empty()) continue;
      std::sort(times.begin(), times.end());
      const auto at = [&](double share) {
        return times[static_cast<std::size_t>(share * static_cast<double>(times.size() - 1))];
      };
      std::printf("%s\"%d\":{\"count\":%zu,\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"max_ms\":%.2f}", comma,
                  status, times.size(), at(0.5), at(0.99), at(1.0));
      comma = ",";
    }
    std::printf(
        "},\"failed_requests\":%ld,\"failed_connections\":%ld,\"unsent\":%ld,"
        "\"slow_closed\":%ld,\"own_cpu_s\":%.2f",
        failed_requests_, failed_connections_, unsent_, slow_closed_, cpu);
    if (!memory_.empty()) {
      std::printf(
          ",\"server_cpu_s\":%.2f,\"memory_mb\":{\"first\":%.1f,\"last\":%.1f,\"most\":%.1f}",
          server_cpu_, static_cast<double>(memory_.front()) / 1024,
          static_cast<double>(memory_.back()) / 1024,
          static_cast<double>(*std::max_element(memory_.begin(), memory_.end())) / 1024);
    }
    std::printf("}\n");
  }

  Options options_;
  std::vector<std::string> requests_;
  int epoll_;
  std::vector<std::unique_ptr<Connection>> all_;
  std::vector<Connection*> free_;
  std::priority_queue<Later> later_;
  std::map<int, std::vector<float>> latencies_;
  std::vector<long> memory_;
  double server_cpu_ = 0;
  std::size_t turn_ = 0;
  std::size_t slow_turn_ = 0;
  long failed_requests_ = 0;
  long failed_connections_ = 0;
  long unsent_ = 0;
  long slow_closed_ = 0;
  Clock::time_point start_;
  Clock::time_point count_from_;
  Clock::time_point next_send_;
  Clock::time_point next_look_;
};

}  // namespace

int main(int argc, char** argv) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  Load(read_options(argc, argv)).run();
}
