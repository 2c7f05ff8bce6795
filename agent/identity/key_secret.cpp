#include "key_secret.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>

namespace wiretally::identity {
namespace {

constexpr size_t kHashBytes = 32;  // of SHA-256
constexpr size_t kKeptBytes = 16;
constexpr size_t kHexDigits = 2 * KeySecret::kBytes;

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  bool valid() const { return fd_ >= 0; }
  int get() const { return fd_; }

 private:
  int fd_;
};

Error failure(const std::string& path, std::string_view what, std::string_view remedy) {
  return {"key secret " + path + ": " + std::string(what) + "; " + std::string(remedy)};
}

Error system_failure(const std::string& path, std::string_view action, std::string_view remedy) {
  return failure(path, std::string(action) + ": " + std::strerror(errno), remedy);
}

constexpr std::string_view kElsewhere = "name another file with --key-secret";

std::optional<uint8_t> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<uint8_t>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<uint8_t>(c - 'A' + 10);
  return std::nullopt;
}

void write_hex(const uint8_t* bytes, size_t count, char* digits) {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (size_t i = 0; i < count; ++i) {
    digits[2 * i] = kDigits[bytes[i] >> 4];
    digits[2 * i + 1] = kDigits[bytes[i] & 15];
  }
}

bool fill_random(uint8_t* bytes, size_t count) {
  size_t filled = 0;
  while (filled < count) {
    const ssize_t got = ::getrandom(bytes + filled, count - filled, 0);
    if (got < 0 && errno != EINTR) return false;
    if (got > 0) filled += static_cast<size_t>(got);
  }
  return true;
}

std::optional<std::array<uint8_t, KeySecret::kBytes>> decode_key(std::string_view content) {
  std::array<uint8_t, KeySecret::kBytes> key{};
  if (content.size() == KeySecret::kBytes) {
    std::memcpy(key.data(), content.data(), key.size());
    return key;
  }
  while (!content.empty() && (content.back() == '\n' || content.back() == '\r')) {
    content.remove_suffix(1);
  }
  if (content.size() != kHexDigits) return std::nullopt;
  for (size_t i = 0; i < key.size(); ++i) {
    const auto high = hex_digit(content[2 * i]);
    const auto low = hex_digit(content[2 * i + 1]);
    if (!high || !low) return std::nullopt;
    key[i] = static_cast<uint8_t>(*high << 4 | *low);
  }
  return key;
}

Result<KeySecret> read_key(const std::string& path, int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return system_failure(path, "fstat", kElsewhere);
  if (!S_ISREG(status.st_mode)) return failure(path, "is not a file", kElsewhere);
  if ((status.st_mode & (S_IRWXO | S_IWGRP)) != 0) {
    return failure(path, "other users may read or change it",
                   "chmod 600 it (a mounted Kubernetes Secret: defaultMode 0400)");
  }
  char content[kHexDigits + 3];
  size_t size = 0;
  while (size < sizeof content) {
    const ssize_t got = ::read(fd, content + size, sizeof content - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_failure(path, "read", kElsewhere);
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  auto key = decode_key({content, size});
  OPENSSL_cleanse(content, sizeof content);
  if (!key) {
    return failure(path, "holds neither 32 bytes nor 64 hexadecimal digits",
                   "fill it with `openssl rand -hex 32`, or remove it and it will be made anew");
  }
  KeySecret secret(*key);
  OPENSSL_cleanse(key->data(), key->size());
  return secret;
}

Status write_new_key(const std::string& path) {
  uint8_t random[KeySecret::kBytes];
  if (!fill_random(random, sizeof random)) return system_failure(path, "getrandom", kElsewhere);
  char line[kHexDigits + 1];
  write_hex(random, sizeof random, line);
  line[kHexDigits] = '\n';
  OPENSSL_cleanse(random, sizeof random);

  const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  bool written = file.valid() && ::fchmod(file.get(), 0600) == 0;
  written = written && ::write(file.get(), line, sizeof line) == static_cast<ssize_t>(sizeof line);
  written = written && ::fsync(file.get()) == 0;
  OPENSSL_cleanse(line, sizeof line);
  if (!written) return system_failure(path, "cannot be written", kElsewhere);
  return Done{};
}

// The key appears under its name whole or not at all: it is written beside it and linked, and a
// link never replaces what another agent made meanwhile.
Status create_key(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  if (!parent.empty() && ::mkdir(parent.c_str(), 0700) != 0 && errno != EEXIST) {
    return system_failure(path, "its folder cannot be made", kElsewhere);
  }
  uint8_t random[8];
  if (!fill_random(random, sizeof random)) return system_failure(path, "getrandom", kElsewhere);
  char suffix[2 * sizeof random];
  write_hex(random, sizeof random, suffix);
  const std::string beside = path + ".new-" + std::string(suffix, sizeof suffix);

  Status written = write_new_key(beside);
  const bool linked = written && (::link(beside.c_str(), path.c_str()) == 0 || errno == EEXIST);
  const int link_error = errno;
  ::unlink(beside.c_str());
  if (!written) return written;
  errno = link_error;
  if (!linked) return system_failure(path, "cannot be made", kElsewhere);
  return Done{};
}

}  // namespace

KeySecret::~KeySecret() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

Result<KeySecret> load_or_create_key(const std::string& path) {
  const FileDescriptor existing(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (existing.valid()) return read_key(path, existing.get());
  if (errno != ENOENT) return system_failure(path, "cannot be opened", kElsewhere);

  if (Status created = create_key(path); !created) return created.error();
  const FileDescriptor made(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!made.valid()) return system_failure(path, "cannot be opened", kElsewhere);
  return read_key(path, made.get());
}

KeySecret public_replay_key() {
  static constexpr std::string_view kText = "wiretally public replay key (v1)";
  static_assert(kText.size() == KeySecret::kBytes);
  std::array<uint8_t, KeySecret::kBytes> bytes{};
  std::memcpy(bytes.data(), kText.data(), bytes.size());
  return KeySecret(bytes);
}

KeyedHash::KeyedHash(const KeySecret& secret, std::string_view purpose) {
  std::array<uint8_t, kHashBytes> derived{};
  static_assert(kHashBytes == KeySecret::kBytes);
  const ByteView text = as_bytes(purpose);
  HMAC(EVP_sha256(), secret.data(), KeySecret::kBytes, text.data(), text.size(), derived.data(),
       nullptr);
  key_ = KeySecret(derived);
  OPENSSL_cleanse(derived.data(), derived.size());
}

Text<32> KeyedHash::hex(std::string_view value) const {
  uint8_t hash[kHashBytes];
  const ByteView bytes = as_bytes(value);
  HMAC(EVP_sha256(), key_.data(), KeySecret::kBytes, bytes.data(), bytes.size(), hash, nullptr);
  char digits[2 * kKeptBytes];
  write_hex(hash, kKeptBytes, digits);
  return Text<32>({digits, sizeof digits});
}

}  // namespace wiretally::identity
