/* Preloaded into a child of a test: ends it, as kill -9 does, at the n-th thing that it does to files under one folder. So every
 * step of writing, erasing and sweeping is a fail point of the very program that is shipped, and nothing is built into it.
 *
 * STEPS_IN: the folder. STEPS_AT: which step, from 1. STEPS_HOW: 0 before it, 1 in its middle (half a write), 2 after it.
 * STEPS_LOG: a file that gets the step's name. Steps are counted from the moment that a file called "count from here" is opened. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static atomic_int counting, steps;
static atomic_char ours[65536];

static int number(const char *name) {
    const char *text = getenv(name);
    return text ? atoi(text) : 0;
}

static int within(const char *path) {
    const char *folder = getenv("STEPS_IN");
    return folder && path && strstr(path, folder) != NULL;
}

static void end(const char *step) {
    const char *log = getenv("STEPS_LOG");
    int file = log ? syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
    if (file >= 0) {
        syscall(SYS_write, file, step, strlen(step));
        syscall(SYS_write, file, "\n", 1);
    }
    syscall(SYS_kill, getpid(), SIGKILL);
}

/* Whether this is the step; ends the process here if it is to end before it. */
static int now(const char *step) {
    if (!counting || ++steps != number("STEPS_AT")) return 0;
    if (number("STEPS_HOW") == 0) end(step);
    return 1;
}

#define STEP(condition, call)                 \
    do {                                      \
        int is = (condition) && now(__func__); \
        __typeof__(call) result = call;       \
        if (is) end(__func__);                \
        return result;                        \
    } while (0)

static int opened(const char *path, int flags, int file, int is) {
    if (path && strstr(path, "count from here")) {
        steps = 0;
        counting = 1;
    }
    if (file >= 0 && file < 65536) ours[file] = within(path) != 0;
    if (is) end(flags & O_CREAT ? "create" : "open");
    return file;
}

#define OPEN(name)                                                                     \
    int name(const char *path, int flags, ...) {                                       \
        va_list rest;                                                                  \
        va_start(rest, flags);                                                         \
        mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;                      \
        va_end(rest);                                                                  \
        int is = flags & O_CREAT && within(path) && now("create");                     \
        return opened(path, flags, NEXT(name)(path, flags, mode), is);                 \
    }
OPEN(open)
OPEN(open64)

static int is_ours(int file) { return file >= 0 && file < 65536 && ours[file]; }

ssize_t write(int file, const void *bytes, size_t len) {
    int is = is_ours(file) && now("write");
    ssize_t written = syscall(SYS_write, file, bytes, is && number("STEPS_HOW") == 1 ? len / 2 : len);
    if (is) end("write");
    return written;
}
ssize_t pwrite64(int file, const void *bytes, size_t len, off64_t at) {
    int is = is_ours(file) && now("pwrite");
    ssize_t written = syscall(SYS_pwrite64, file, bytes, is && number("STEPS_HOW") == 1 ? len / 2 : len, at);
    if (is) end("pwrite");
    return written;
}
ssize_t pwrite(int file, const void *bytes, size_t len, off_t at) { return pwrite64(file, bytes, len, at); }
int fsync(int file) { STEP(is_ours(file), NEXT(fsync)(file)); }
int fdatasync(int file) { STEP(is_ours(file), NEXT(fdatasync)(file)); }
int ftruncate64(int file, off64_t len) { STEP(is_ours(file), NEXT(ftruncate64)(file, len)); }
int rename(const char *from, const char *to) { STEP(within(to), NEXT(rename)(from, to)); }
int link(const char *from, const char *to) { STEP(within(to), NEXT(link)(from, to)); }
int linkat(int a, const char *from, int b, const char *to, int flags) { STEP(within(to), NEXT(linkat)(a, from, b, to, flags)); }
int unlink(const char *path) { STEP(within(path), NEXT(unlink)(path)); }
int unlinkat(int folder, const char *path, int flags) { STEP(is_ours(folder) || within(path), NEXT(unlinkat)(folder, path, flags)); }
int rmdir(const char *path) { STEP(within(path), NEXT(rmdir)(path)); }
int mkdir(const char *path, mode_t mode) { STEP(within(path), NEXT(mkdir)(path, mode)); }
