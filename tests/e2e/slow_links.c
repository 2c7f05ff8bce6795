/* Preloaded into the agent, makes every probe link take SLOW_LINKS_MS longer, as on a machine whose kernel has a
 * hundred processes to walk through: what a client does between two links can then be tested. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

long syscall(long number, ...) {
  long arguments[6];
  va_list list;
  va_start(list, number);
  for (int i = 0; i < 6; ++i) arguments[i] = va_arg(list, long);
  va_end(list);

  const char* milliseconds = getenv("SLOW_LINKS_MS");
  if (number == SYS_bpf && arguments[0] == BPF_LINK_CREATE && milliseconds)
    usleep((useconds_t)atoi(milliseconds) * 1000);
  long (*next)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
  return next(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
}
